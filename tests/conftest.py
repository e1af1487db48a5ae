"""What every test shares: the folder of real data, skips that say why, and quiet, small runs."""

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from fit.evaluation.painters import from_python

ROOT = Path(__file__).resolve().parents[1]


def shared_folder() -> Path:
    """The folder of real test data, whether it exists or not."""
    return Path(os.environ.get("FIT_SHARED_DATA") or ROOT.parent / "shared" / "data")


def browser_found() -> str | None:
    """A browser of Chromium's family."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(autouse=True)
def _hears_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so does all that is started by it in turn."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    # Tests are small and several run at once: threads within an operator only get in each other's way.
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    present = shared_folder().is_dir()
    for item in items:
        if not present and (item.get_closest_marker("shared") or "shared" in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=f"no real test data at {shared_folder()}; set FIT_SHARED_DATA"))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
        if item.get_closest_marker("browser") and not browser_found():
            item.add_marker(pytest.mark.skip(reason="no browser: neither chromium nor google-chrome is installed"))
    # Files with tests that are given minutes first, so that at the end no process works alone.
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data: videos, styles, vimeo_septuplet, weights, ..."""
    return shared_folder()


@pytest.fixture(scope="session")
def browser() -> str | None:
    """The browser's command, for tests marked so."""
    return browser_found()


@pytest.fixture(scope="session")
def mosaic(shared: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """A published network that looks at one frame at a time."""
    return from_python(f"{ROOT / 'tests' / 'framewise_network.py'}:mosaic", "cpu").paint


@pytest.fixture(autouse=True)
def quiet_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs nothing in the repository's or the user's own folders, asks no server, and silences Lightning's announcements."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)

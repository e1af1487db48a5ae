"""``make versions``: the package works with the lowest versions pyproject.toml allows and with the newest, installed anew."""

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
IMPORT_ALL = """
import importlib, pkgutil
for package in ("datamodules", "lightning_modules", "fit"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
TWO_STEPS = ["--model.steps=2", "--data.size=[32,32]", "--data.frames=3", "--data.batch_size=1", "--data.workers=0"]
TWO_STEPS += ["--card=0", "--samples.every=2", "--samples.clips=1"]


def project() -> dict[str, Any]:
    """The table of that name in pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lower_bound(specifiers: SpecifierSet) -> str:
    """The one version behind ``>=``."""
    (lowest,) = [one.version for one in specifiers if one.operator == ">="]
    return lowest


def pinned(line: str) -> str:
    """A requirement with a lower bound as a requirement for exactly that version."""
    wanted = Requirement(line)
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}=={lower_bound(wanted.specifier)}"


def test_lowest_versions_are_read_from_the_bounds() -> None:
    assert pinned("torch>=2.11,<3") == "torch==2.11"
    assert pinned("jsonargparse[signatures]<5,>=4.53") == "jsonargparse[signatures]==4.53"
    with pytest.raises(ValueError, match="expected 1"):
        pinned("torch<3")
    assert all("==" in pinned(line) for line in project()["dependencies"])  # each has a lower bound


@pytest.fixture
def environment() -> Iterator[Callable[[list[str]], Callable[..., str]]]:
    """Installs requirements; returns what runs this environment's interpreter in a folder of its own and gives its output."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # pytest would keep its own folders: gigabytes

        def install(requirements: list[str]) -> Callable[..., str]:
            def python(*args: str) -> str:
                command = [f"{folder}/bin/python", *args]
                settings = {**os.environ, "PYTHONPATH": str(ROOT)}
                done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{' '.join(args)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
                return done.stdout

            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            options = ["--quiet", "--no-input", "--no-cache-dir", "--only-binary=:all:"]  # a version without a wheel is none
            python("-m", "pip", "install", *options, *requirements)
            return python

        yield install


@pytest.mark.prove
@pytest.mark.versions
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("end", ["lowest", "newest"])
def test_trains_and_paints(end: str, environment: Callable[[list[str]], Callable[..., str]]) -> None:
    oldest_python = lower_bound(SpecifierSet(project()["requires-python"]))
    if end == "lowest" and sys.version_info[:2] != tuple(map(int, oldest_python.split("."))):
        pytest.skip(f"the lowest versions have wheels for the oldest Python alone: run this with Python {oldest_python}")
    wanted = project()["dependencies"]
    python = environment([pinned(line) for line in wanted] if end == "lowest" else wanted)
    installed = python("-m", "pip", "list", "--format=freeze").splitlines()
    names = {Requirement(line).name for line in wanted}
    print(f"\n{end}:", *(line for line in installed if line.partition("==")[0] in names))
    python("-c", IMPORT_ALL)
    command = python("-m", "fit", *TWO_STEPS).splitlines()[-1].split()
    checkpoint = command[command.index("--checkpoint") + 1]
    sample = Path(checkpoint).parents[1] / "samples" / "step-000002.mp4"
    python("-m", "fit.stylize", str(sample), "painted.mp4", "--checkpoint", checkpoint)

"""The notebooks run from start to end, with settings small enough for a test; no outputs are kept in them."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
TINY = '["--model.steps", "2", "--data.size", "[32,32]", "--data.workers", "0", "--samples.clips", "1", "--card", "2"]'
JUDGED = '{"clips": 2, "size": (48, 64), "frames": 3, "speed": []}'
SMALL = {
    "1_train_and_look": f"OPTIONS = {TINY}",
    "2_judge_a_run": f"RUN, OPTIONS = None, {JUDGED}",
    "3_compare_runs": f"RUNS, WANDB, FILTERS, STEPS, OPTIONS = [], None, {{}}, 2, {JUDGED}",
}


def parameters(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The one cell that a person changes."""
    (cell,) = (cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    return cell


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of their own, in which later notebooks find the runs of earlier ones."""
    folder = tmp_path_factory.mktemp("apart") / "notebooks"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_start_to_end(path: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    book = nbformat.read(path, as_version=4)
    parameters(book).source = SMALL[path.stem]
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(room)}}).execute()
    shown = [output.output_type for cell in book.cells for output in cell.get("outputs", ())]
    assert "display_data" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in cells] == [([], None)] * len(cells)


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SMALL)

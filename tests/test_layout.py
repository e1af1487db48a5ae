"""Laws about the sources themselves: every module has its test, and functions stay short."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("datamodules", "lightning_modules", "fit")
# The package markers, and the one line that calls fit.cli (driven by its tests as a command).
NEEDS_NO_TEST = {"__init__", "__main__"}


def modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def function_lengths(source: str) -> dict[str, int]:
    """Lines of every function from its ``def`` to its end, docstring included, decorators not."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {f"{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes}


@pytest.mark.parametrize("module", [m for m in modules() if m.stem not in NEEDS_NO_TEST], ids=str)
def test_every_module_has_its_test_file(module: Path) -> None:
    expected = Path("tests") / module.with_name(f"test_{module.name}")
    assert (ROOT / expected).is_file(), f"{module} is tested nowhere: write {expected}"


def test_folders_of_tests_are_no_packages() -> None:
    # With __init__ files, tests/fit would shadow fit. The top is one: processes that tests start find functions by its name.
    assert list((ROOT / "tests").rglob("__init__.py")) == [ROOT / "tests" / "__init__.py"]


def test_functions_are_short() -> None:
    lengths = {
        f"{module}:{name}": length
        for module in modules()
        for name, length in function_lengths((ROOT / module).read_text(encoding="utf-8")).items()
    }
    over_60 = {name: length for name, length in lengths.items() if length > 60}
    over_40 = {name: length for name, length in lengths.items() if length > 40}
    assert not over_60, f"functions above 60 lines: {over_60}"
    assert len(over_40) <= 0.05 * len(lengths), f"more than 5 % of the functions are above 40 lines: {over_40}"


def test_function_lengths_counts_lines() -> None:
    assert function_lengths("@cache\ndef f():\n    '''Doc.'''\n\n    return 1\n") == {"f:2": 4}

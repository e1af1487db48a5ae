"""Networks that know how they were built, whichever way that was."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from torch import nn

from lightning_modules.ops.describe import Describable


class Net(Describable):
    def __init__(self, width: int, depth: int = 2, norm: str = "none") -> None:
        super().__init__()
        self.layer = nn.Linear(width, depth)


class Wider(Net):
    """Calls its parent's constructor with other values."""

    def __init__(self, factor: int = 3) -> None:
        super().__init__(10 * factor, norm="batch")


class Renamed(Net):
    """Has no constructor of its own."""


@pytest.mark.parametrize(
    "build", [lambda: Net(4, norm="layer"), partial(Net, 4, norm="layer"), lambda: Net(norm="layer", width=4)]
)
def test_arguments_are_recorded_however_it_was_built(build: Callable[[], Net]) -> None:
    assert build().init_args == {"width": 4, "depth": 2, "norm": "layer"}


@pytest.mark.parametrize("network", [Net(4), Wider(2), Renamed(5, 1)], ids=["plain", "own", "inherited"])
def test_a_description_builds_it_again(network: Net) -> None:
    described = network.describe()
    name = described["class_path"].rpartition(".")[2]
    again = {"Net": Net, "Wider": Wider, "Renamed": Renamed}[name](**described["init_args"])
    assert type(again) is type(network)
    assert again.describe() == described
    assert [p.shape for p in again.parameters()] == [p.shape for p in network.parameters()]


def test_a_subclass_describes_its_own_arguments() -> None:
    assert Wider(2).describe()["init_args"] == {"factor": 2}
    assert Renamed(5).describe()["init_args"] == {"width": 5, "depth": 2, "norm": "none"}


def test_a_description_is_a_copy() -> None:
    network = Net(4)
    network.describe()["init_args"]["width"] = 9
    assert network.describe()["init_args"]["width"] == 4


def test_wrong_arguments_are_refused_as_without_it() -> None:
    with pytest.raises(TypeError, match="width"):
        Net()


def test_what_is_recorded_is_plain() -> None:
    class Counted(int):
        """As a command line reads a number."""

    class Named(Describable):
        def __init__(self, count: int, weights: object, sizes: object, options: object) -> None:
            super().__init__()

    made = Named(Counted(3), Path("a/b"), (Counted(1), [Counted(2)]), {"deep": Counted(4)}).describe()["init_args"]
    assert made == {"count": 3, "weights": "a/b", "sizes": (1, [2]), "options": {"deep": 4}}
    assert [type(made["count"]), type(made["sizes"][0]), type(made["sizes"][1][0]), type(made["options"]["deep"])] == [int] * 4

import re
from xml.etree import ElementTree

from fit.sweeping.parallel import colour, parallel
from fit.sweeping.parameters import Parameter
from fit.sweeping.trial import State, Trial

LR = Parameter(("lr",), [1e-5, 1e-1], discrete=False, logarithmic=True)
W = Parameter(("w",), [0.0, 10.0], discrete=False, logarithmic=False)
KIND = Parameter(("kind",), ["a", None, True], discrete=True, logarithmic=False)
N = Parameter(("n",), [5, 1, 2], discrete=True, logarithmic=False)


def lines(svg: str | None) -> list[dict[str, str]]:
    assert svg is not None
    found = ElementTree.fromstring(svg).findall("polyline")
    return [{"title": line[0].text or "", **line.attrib} for line in found]


def heights(line: dict[str, str]) -> list[float]:
    return [float(point.split(",")[1]) for point in line["points"].split()]


def trials(*found: tuple[dict[str, object], float], state: State = "finished") -> list[Trial]:
    return [Trial(n, args, state=state, values={"loss": value}) for n, (args, value) in enumerate(found, 1)]


def test_heights_are_those_of_the_values() -> None:
    drawn = lines(
        parallel(
            trials(({"lr": 1e-4, "w": 0.1}, 1), ({"lr": 1e-3, "w": 5.0}, 2), ({"lr": 1e-2, "w": 9.9}, 3)),
            [LR, W],
            "loss",
            False,
        )
    )
    worst, middle, best = (heights(line) for line in drawn)
    assert [line["title"] for line in drawn] == ["trial 3: loss 3.000", "trial 2: loss 2.000", "trial 1: loss 1.000"]
    for axis in range(3):
        assert abs((worst[axis] + best[axis]) / 2 - middle[axis]) < 0.11, "equal ratios, and equal differences"
        assert worst[axis] < best[axis], "more is further up"


def test_choices_keep_the_order_of_the_file_and_numbers_theirs() -> None:
    args = [{"kind": kind, "n": n} for kind, n in (("a", 1), (None, 2), (True, 5))]
    svg = parallel(trials(*((each, n) for n, each in enumerate(args))), [KIND, N], "loss", False)
    labels = re.findall(r'class="tick">([^<]*)<', svg or "")
    assert labels[:6] == ["a", "null", "true", "1", "2", "5"]
    third, second, first = (heights(line)[:2] for line in lines(svg))
    assert first[0] - second[0] == second[0] - third[0] > 0
    assert first[1] - second[1] == second[1] - third[1] > 0


def test_the_best_is_thick_blue_and_on_top_and_stopped_ones_are_dashed() -> None:
    found = trials(({"w": 1.0}, 1), ({"w": 2.0}, 2), ({"w": 3.0}, 3))
    found[0].state = "stopped"
    drawn = lines(parallel(found, [W], "loss", maximize=True))
    assert [line["stroke-width"] for line in drawn] == ["1.5", "1.5", "4"]
    assert [line["stroke"] for line in drawn] == ["#d55e00", "#8a8f98", "#0072b2"]
    assert "stroke-dasharray" in drawn[0]
    assert "stroke-dasharray" not in drawn[1]


def test_trials_without_a_value_are_left_out() -> None:
    found = trials(({"w": 1.0}, 1), ({"w": 2.0}, 2), ({"w": 3.0}, 3))
    found[1].values, found[2].state = {}, "failed"
    assert parallel(found, [W], "loss", maximize=False) is None
    assert parallel(trials(({"w": 1.0}, 1), ({"w": 2.0}, 2)), [], "loss", maximize=False) is None


def test_values_that_are_all_the_same_are_drawn() -> None:
    drawn = lines(
        parallel(trials(({"w": 0.0, "lr": 1e-3, "n": 2}, 1), ({"w": 0.0, "lr": 1e-3, "n": 2}, 1)), [W, LR, N], "loss", False)
    )
    assert heights(drawn[0]) == heights(drawn[1])


def test_colours_go_from_blue_over_grey_to_orange() -> None:
    assert [colour(badness) for badness in (0.0, 0.5, 1.0)] == ["#0072b2", "#8a8f98", "#d55e00"]

from pathlib import Path

import pytest

from datamodules.errors import DataError
from fit.cli import main
from fit.messages import died, explain, fail, nearest, shorten
from fit.ranks import RankLost
from lightning_modules.generators.realtime import RealtimeGenerator

KNOWN = {"model.lr", "model.steps", "data.batch_size", "trainer.devices", "name"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.lrr", "--model.lr"),
        ("mdoel.steps", "--model.steps"),
        ("lr", "--model.lr"),  # the group forgotten
        ("data.lr", "--model.lr"),  # the wrong group
        ("batchsize", "--data.batch_size"),
        ("nmae", "--name"),
        ("zzz", ""),
    ],
)
def test_nearest_is_what_was_meant(typed: str, meant: str) -> None:
    assert nearest(typed, KNOWN) == meant


def test_failing_says_one_line_and_leaves_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        fail("what\n  happened")
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: what happened\n"


def test_other_ranks_say_who_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SystemExit) as left:
        fail("gone", status=1)
    assert left.value.code == 1
    assert capsys.readouterr().err == "error: rank 2: gone\n"


def test_what_other_processes_died_of_is_explained() -> None:
    assert died(RankLost("rank 1 (process 5) was killed by SIGKILL")) == "rank 1 (process 5) was killed by SIGKILL"
    assert "lower data.workers" in str(died(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")))
    for text in ("[pair.cc:545] Read error [127.0.0.1]:37785: Connection reset by peer.", "Connection closed by peer [::1]"):
        assert "another rank is gone" in str(died(RuntimeError(text)))
    assert died(RuntimeError("another")) is None
    assert "a loader process died" in str(died(ConnectionResetError(104, "Connection reset by peer")))
    assert "a loader process died" in str(died(EOFError()))
    assert died(ConnectionResetError(104, "Connection reset by peer", "/mnt/film.mp4")) is None


def test_mistakes_are_explained_and_bugs_are_not() -> None:
    def raised(action: object) -> BaseException:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            action()  # type: ignore[operator]
        return caught.value

    assert explain(DataError("x", "a folder", "a file", "name another")) == "x: expected a folder, got a file; name another"
    assert "expected width" in str(explain(raised(lambda: RealtimeGenerator(width=1))))
    assert explain(raised(lambda: Path("nowhere").read_bytes())) == "nowhere: No such file or directory"
    assert explain(raised(lambda: int("seven"))) is None
    assert explain(raised(lambda: [][0])) is None


def test_an_error_from_a_loader_process_is_its_own_last_line() -> None:
    text = (
        "Caught DataError in DataLoader worker process 0.\nOriginal Traceback:\n ...\ndatamodules.errors.DataError: x: broken\n"
    )
    assert explain(RuntimeError(text)) == "x: broken"


def test_parser_jargon_becomes_words() -> None:
    assert shorten("Parser key \"lr\":\n  Expected a <class 'float'>. Got value: abc") == "lr: expected float, got abc"
    jargon = "Parser key \"kind\":\n  Expected a typing.Literal['a', 'b']. Got value: c"
    assert shorten(jargon) == "kind: expected one of a, b, got c"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--seed=abc"], "--seed_everything: expected a whole number >= 0, got abc"),
        (["--seed=it's"], "--seed_everything: expected a whole number >= 0, got it's"),
        (["--card=-1"], "--card: expected a whole number >= 0, got -1"),
        (["--trainer.devices=0"], "--trainer.devices: expected a whole number >= 1, got 0"),
        (["--data.size=0"], "--data.size: expected values in brackets, such as [1,2], got 0"),
        (["--data.size=[1,2,3]"], "--data.size: expected 2 values in brackets, such as [1,2], got [1, 2, 3]"),
    ],
)
def test_values_of_the_wrong_kind_are_told_in_words(options: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(options)
    assert capsys.readouterr().err == f"error: {line}\n"

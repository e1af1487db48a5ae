import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from datamodules import pack_plan
from datamodules.avi import LARGEST
from datamodules.errors import DataError
from datamodules.pack_plan import Plan, estimate, make_plan, read_facts, replace, settle
from datamodules.packed import PLAN


@pytest.fixture
def plan(tmp_path: Path, vimeo: Callable[..., Path]) -> Plan:
    (tmp_path / "out").mkdir()
    return make_plan(vimeo(tmp_path / "root"), tmp_path / "out", "lossless", allow_missing=False)


def test_the_lists_decide_what_is_packed_in_which_order(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [(plan.root / f"sep_{which}list.txt").read_text().split() for which in ("train", "test")]
    assert plan.names.tolist() == [name.encode() for name in listed[0] + listed[1]]
    assert plan.split.tolist() == [0] * 5 + [1] * 2
    assert plan.size == (16, 28)
    monkeypatch.setattr(pack_plan, "CLIPS", 3)
    shards = list(plan.shards())
    assert [shard.path.name for shard in shards] == ["00000.avi", "00001.avi", "00002.avi"]
    assert np.concatenate([shard.names for shard in shards]).tolist() == plan.names.tolist()


def test_a_shard_stays_below_a_gigabyte(plan: Plan) -> None:
    assert plan.clips_in_shard == pack_plan.CLIPS
    for size in ((256, 448), (1080, 1920), (20000, 20000)):
        clips = plan._replace(size=size).clips_in_shard
        assert clips == 1 or clips * 7 * 3 * size[0] * size[1] <= LARGEST
    assert plan._replace(size=(256, 448)).clips_in_shard == 445


def test_missing_sequences_are_refused_or_left_out(plan: Plan) -> None:
    (plan.root / "sequences" / plan.names[1].decode() / "im7.png").unlink()
    with pytest.raises(DataError, match="1 of 5 missing or incomplete"):
        make_plan(plan.root, plan.out, "small", allow_missing=False)
    less = make_plan(plan.root, plan.out, "small", allow_missing=True)
    assert less.names.tolist() == [name for name in plan.names.tolist() if name != plan.names[1]]
    assert "1 of 5 missing" in less.missing


def test_going_on_needs_the_same_plan(plan: Plan, tmp_path: Path, vimeo: Callable[..., Path]) -> None:
    settle(plan)
    settle(plan)
    assert read_facts(plan.out) == plan.facts()
    assert (plan.out / "sep_trainlist.txt").read_bytes() == (plan.root / "sep_trainlist.txt").read_bytes()
    with pytest.raises(DataError, match="a pack with format small, got format lossless; give another folder"):
        settle(plan._replace(form="small"))
    with pytest.raises(DataError, match=f"a pack with root {tmp_path}/other, got root {tmp_path}/root"):
        settle(make_plan(vimeo(tmp_path / "other"), plan.out, "lossless", allow_missing=False))
    with pytest.raises(DataError, match="a pack with clips 6, got clips 7"):
        settle(plan._replace(names=plan.names[1:], split=plan.split[1:]))
    with pytest.raises(DataError, match="a pack with sequences"):
        settle(plan._replace(names=plan.names[::-1]))
    (plan.out / PLAN).write_text("{")
    with pytest.raises(DataError, match=r"plan.json: expected the plan of a pack, got none, or a damaged one"):
        settle(plan)
    (plan.out / PLAN).write_text(json.dumps(["a list"]))
    with pytest.raises(DataError, match="got version None"):
        settle(plan)


def test_a_folder_with_other_things_is_refused(plan: Plan) -> None:
    (plan.out / f"{PLAN}.part").write_text("killed while writing")
    (plan.out / "sep_testlist.txt").write_text("killed while copying")
    settle(plan)
    (plan.out / PLAN).unlink()
    (plan.out / "holiday.mp4").touch()
    with pytest.raises(DataError, match=r"expected an empty folder, or a pack to go on with, got holiday.mp4"):
        settle(plan)


def test_the_estimate_is_what_packing_gives(plan: Plan, pack_small_shards: Callable[..., Path]) -> None:
    each = estimate(plan)
    assert each.seconds > 0
    packed = sum(path.stat().st_size for path in pack_small_shards(plan.root, plan.out).glob("shards/*.avi"))
    assert each.bytes * 7 == pytest.approx(packed, rel=0.2)


def test_the_estimate_looks_everywhere(plan: Plan) -> None:
    for name in plan.names[3:].tolist():  # flat pictures take a fraction of the bytes
        for number in range(1, 8):
            cv2.imwrite(str(plan.root / "sequences" / name.decode() / f"im{number}.png"), np.zeros((16, 28, 3), dtype=np.uint8))
    noise, flat = (estimate(plan._replace(names=names)).bytes for names in (plan.names[:3], plan.names[3:]))
    assert estimate(plan).bytes == pytest.approx((3 * noise + 4 * flat) / 7, rel=0.01)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace(tmp_path / "a", b"one")
    replace(tmp_path / "a", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"two")]

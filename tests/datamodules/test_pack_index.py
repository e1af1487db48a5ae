from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from datamodules.errors import DataError
from datamodules.pack_index import finish, make_index, tidy
from datamodules.pack_plan import Plan, make_plan, settle
from datamodules.pack_shard import write_shard
from datamodules.packed import INDEX, read_index


@pytest.fixture
def plan(tmp_path: Path, vimeo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr("datamodules.pack_plan.CLIPS", 3)
    (tmp_path / "out").mkdir()
    plan = make_plan(vimeo(tmp_path / "root"), tmp_path / "out", "small", allow_missing=False)
    settle(plan)
    for shard in plan.shards():
        write_shard(shard)
    return plan


def test_every_picture_lies_where_the_index_says(plan: Plan) -> None:
    index = make_index(plan)
    shards = [shard.path.read_bytes() for shard in plan.shards()]
    assert index.name.tolist() == plan.names.tolist()
    for clip in range(7):
        content = shards[index.shard[clip]]
        for picture in range(7):
            first, length = int(index.offset[clip, picture]), int(index.length[clip, picture])
            there = content[first : first + length]
            assert (there[:2], there[-2:]) == (b"\xff\xd8", b"\xff\xd9")  # a JPEG from its first byte to its last
            assert crc32(there) == index.checksum[clip, picture]


def test_the_finished_index_is_the_same_bytes_each_time(plan: Plan) -> None:
    finish(plan)
    content = (plan.out / INDEX).read_bytes()
    assert all(shard.journal.exists() for shard in plan.shards())
    finish(plan)
    assert (plan.out / INDEX).read_bytes() == content
    assert all(np.array_equal(a, b) for a, b in zip(read_index(plan.out), make_index(plan), strict=True))
    tidy(plan)
    tidy(plan)
    assert sorted(path.suffix for path in (plan.out / "shards").iterdir()) == [".avi"] * 3


def test_an_unfinished_shard_makes_no_index(plan: Plan) -> None:
    journal = list(plan.shards())[1].journal
    journal.write_bytes(journal.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"00001.journal: expected 3 records, got 2; run the same command again"):
        finish(plan)
    assert not (plan.out / INDEX).exists()

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.packed import INDEX, Pack, shard_path
from datamodules.random import Draw
from datamodules.source import ClipSource
from datamodules.vimeo90k import Vimeo90K

TRAIN, TEST = ("00001/0001", "00001/0002", "00003/0010"), ("00002/0004",)
HELD_OUT = 1  # the place in TRAIN of what validates


def write(root: Path, prefix: str = "sep", length: int = 7) -> Path:
    """A folder in the published layout. Picture number n of sequence s has red 30 s, green 30 n, and its x in blue."""
    for which, (name, sequence) in enumerate((name, root / "sequences" / name) for name in TRAIN + TEST):
        sequence.mkdir(parents=True)
        for number in range(1, length + 1):
            picture = np.zeros((16, 28, 3), dtype=np.uint8)
            picture[:] = 30 * which, 30 * number, 0
            picture[..., 2] = np.arange(28)
            cv2.imwrite(str(root / "sequences" / name / f"im{number}.png"), picture[..., ::-1])
    (root / f"{prefix}_trainlist.txt").write_text("\n".join(TRAIN) + "\n\n")
    (root / f"{prefix}_testlist.txt").write_text("\r\n".join(TEST))
    return root


@pytest.fixture
def style(tmp_path: Path) -> str:
    (tmp_path / "style").mkdir()
    cv2.imwrite(str(tmp_path / "style" / "a.png"), np.zeros((40, 40, 3), dtype=np.uint8))
    return str(tmp_path / "style")


@pytest.fixture(params=["published", "packed"])
def either(request: pytest.FixtureRequest, tmp_path: Path, pack_small_shards: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a folder of either form."""

    def build(prefix: str = "sep", length: int = 7) -> Path:
        root = write(tmp_path / "vimeo", prefix, length)
        return root if request.param == "published" else pack_small_shards(root, tmp_path / "packed")

    return build


def data(root: Path, style: str, **options: object) -> Vimeo90K:
    return Vimeo90K(str(root), style, **{"size": (15, 15), "frames": 3, "workers": 0, **options})


def times(clip: torch.Tensor) -> list[int]:
    """The numbers of the pictures a clip shows."""
    return [round(float(green) / 30) for green in clip[:, 1, 8, 8]]


def clips_of(module: Vimeo90K, split: str) -> ClipSource:
    """Of any split."""
    if split in ("train", "val"):
        return module.content_clips(split)
    return module.judged_clips(split, module.load_size)


@pytest.mark.parametrize(("prefix", "length"), [("sep", 7), ("tri", 3)])
def test_the_published_lists_decide_what_is_used_for_what(
    either: Callable[..., Path], style: str, prefix: str, length: int
) -> None:
    module = data(either(prefix, length), style)
    for split, which in (("train", [0, 2]), ("val", [HELD_OUT]), ("test", [3]), ("all", [0, 1, 2, 3])):
        source = clips_of(module, split)
        clips = [source.clip(Draw(0, 0, i)) for i in range(len(source))]
        assert [round(float(clip.frames[0, 0, 0, 0]) / 30) for clip in clips] == which
        assert {clip.frames.shape for clip in clips} == {(3, 3, 16, 16)}
        assert {clip.flow for clip in clips} == {None}


def test_both_forms_give_the_same_clips(tmp_path: Path, style: str, pack_small_shards: Callable[..., Path]) -> None:
    root = write(tmp_path / "vimeo")
    modules = data(root, style), data(pack_small_shards(root, tmp_path / "packed"), style)
    for split in ("train", "val", "test"):
        sources = [pickle.loads(pickle.dumps(clips_of(module, split))) for module in modules]
        assert len(sources[0]) == len(sources[1])
        for epoch in range(5):
            for index in range(len(sources[0])):
                a, b = (source.clip(Draw(3, epoch, index)).frames for source in sources)
                assert torch.equal(a, b)


def test_training_draws_start_direction_and_place(either: Callable[..., Path], style: str) -> None:
    source = data(either(), style).content_clips("train")
    clips = [source.clip(Draw(0, epoch, 1)).frames for epoch in range(120)]
    runs = {tuple(times(clip)) for clip in clips}
    rising = {(start, start + 1, start + 2) for start in range(1, 6)}
    assert runs == rising | {run[::-1] for run in rising}
    # A window 16 wide has 13 places in 28 columns, the same for all frames of a clip.
    assert {int(clip[0, 2, 0, 0]) for clip in clips} == set(range(13))
    assert all(torch.equal(clip[0, 2], clip[2, 2]) for clip in clips)
    assert torch.equal(clips[5], source.clip(Draw(0, 5, 1)).frames)


def test_judged_clips_have_the_size_asked_for_and_names(either: Callable[..., Path], style: str) -> None:
    source = data(either(), style).judged_clips("all", (12, 20))
    assert source.clip(Draw(0, 0, 3)).frames.shape == (3, 3, 12, 20)
    assert [source.name(index) for index in range(len(source))] == [*TRAIN, *TEST]


@pytest.mark.parametrize("split", ["val", "test"])
def test_validation_is_fixed_and_central(either: Callable[..., Path], style: str, split: str) -> None:
    source = clips_of(data(either(), style), split)
    clip = source.clip(Draw(0, 0, 0)).frames
    assert times(clip) == [3, 4, 5]
    assert int(clip[0, 2, 0, 0]) == 6
    assert torch.equal(clip, source.clip(Draw(9, 4, 0)).frames)


def test_a_batch_holds_both_domains(either: Callable[..., Path], style: str) -> None:
    module = data(either(), style, batch_size=2, frames=7)
    module.setup()
    batch = next(iter(module.train_dataloader()))
    assert batch.content.frames.shape == batch.style.frames.shape == (2, 7, 3, 16, 16)
    assert sorted(round(float(red) / 30) for red in batch.content.frames[:, 0, 0, 0, 0]) == [0, 2]


def test_longer_clips_than_sequences_are_refused(tmp_path: Path, style: str) -> None:
    with pytest.raises(DataError, match="expected frames <= 7, the length of its sequences, got 8"):
        data(write(tmp_path / "a"), style, frames=8).setup()
    with pytest.raises(DataError, match="frames <= 3"):
        data(write(tmp_path / "b", "tri", 3), style, frames=4).setup()


def test_missing_sequences_are_counted_and_named(tmp_path: Path, style: str) -> None:
    root = write(tmp_path / "vimeo")
    (root / "sequences" / TRAIN[0] / "im5.png").unlink()
    with pytest.raises(DataError, match=re.escape(f"1 of 3 missing or incomplete ({TRAIN[0]})")):
        data(root, style).setup()
    module = data(root, style, allow_missing=True)
    with pytest.warns(UserWarning, match="1 of 3 missing"):
        sources = [module.content_clips(split) for split in ("train", "val")]
    reds = [round(float(source.clip(Draw(0, 0, 0)).frames[0, 0, 0, 0]) / 30) for source in sources]
    assert (sorted(reds), [len(source) for source in sources]) == ([1, 2], [1, 1])
    (root / "sequences" / TRAIN[2]).rename(tmp_path / "elsewhere")
    with (
        pytest.warns(UserWarning, match="2 of 3 missing"),
        pytest.raises(DataError, match="expected two sequences to train on and validate with, got one"),
    ):
        data(root, style, allow_missing=True).content_clips("train")
    (root / "sequences" / TEST[0]).rename(tmp_path / "all of the test list")
    with pytest.raises(DataError, match="1 of 1 missing"):
        data(root, style, allow_missing=True).judged_clips("test", (16, 16))


def test_what_the_pack_lacks_is_missing(tmp_path: Path, style: str, pack_small_shards: Callable[..., Path]) -> None:
    root = pack_small_shards(write(tmp_path / "vimeo"), tmp_path / "packed")
    (root / "sep_trainlist.txt").write_text("\n".join((*TRAIN, "00009/0009")))
    with pytest.raises(DataError, match=r"1 of 4 missing or incomplete \(00009/0009\)"):
        data(root, style).setup()
    with pytest.warns(UserWarning, match="1 of 4 missing"):
        assert len(data(root, style, allow_missing=True).content_clips("train")) == 2


def test_a_pack_that_is_not_finished_is_refused(tmp_path: Path, style: str, pack_small_shards: Callable[..., Path]) -> None:
    root = pack_small_shards(write(tmp_path / "vimeo"), tmp_path / "packed")
    (root / INDEX).unlink()
    with pytest.raises(DataError, match=r"expected the index of a finished pack, got none; run the same python -m"):
        data(root, style).setup()


def test_damage_is_an_error_and_never_a_wrong_clip(tmp_path: Path, style: str, pack_small_shards: Callable[..., Path]) -> None:
    root = pack_small_shards(write(tmp_path / "vimeo"), tmp_path / "packed", "small")
    source = data(root, style).content_clips("val")
    right = source.clip(Draw(0, 0, 0)).frames
    index, path = Pack(root).index, shard_path(root, 0)
    content = path.read_bytes()
    first, length = int(index.offset[HELD_OUT, 3]), int(index.length[HELD_OUT, 3])
    for place in range(first, first + length, 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(DataError, match=f"expected picture 4 as it was packed for {TRAIN[HELD_OUT]}, got other bytes"):
            source.clip(Draw(0, 0, 0))
    path.write_bytes(content)
    assert torch.equal(source.clip(Draw(0, 0, 0)).frames, right)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "expected sep_trainlist.txt .* got neither"),
        ({"sep_trainlist.txt": "00001/0001", "tri_trainlist.txt": "00001/0001"}, "got the lists of both sets"),
        ({"sep_trainlist.txt": ""}, "expected lines such as 00001/0266, got none"),
        ({"sep_trainlist.txt": "00001/0001\n../../etc"}, "got '../../etc'"),
        ({"sep_trainlist.txt": "00001/0001"}, "expected two sequences to train on and validate with, got one"),
    ],
)
def test_wrong_lists_are_refused(tmp_path: Path, style: str, lists: dict[str, str], message: str) -> None:
    root = write(tmp_path / "vimeo")
    for path in root.glob("*.txt"):
        path.unlink()
    for name, text in lists.items():
        (root / name).write_text(text)
    with pytest.raises(DataError, match=message):
        data(root, style).setup()


def test_a_missing_folder_is_refused(tmp_path: Path, style: str) -> None:
    with pytest.raises(DataError, match="expected the folder of Vimeo-90K, got no folder"):
        data(tmp_path / "absent", style).setup()


@pytest.mark.shared
@pytest.mark.parametrize(("name", "frames", "sizes"), [("vimeo_septuplet", 7, (12, 1, 5)), ("vimeo_triplet", 3, (5, 1, 1))])
def test_real_sequences_load(shared: Path, name: str, frames: int, sizes: tuple[int, int, int]) -> None:
    module = Vimeo90K(str(shared / name), str(shared / "styles"), size=(256, 384), frames=frames, workers=0)
    module.setup()
    sources = [clips_of(module, split) for split in ("train", "val", "test")]
    assert tuple(map(len, sources)) == sizes
    for source in sources:
        assert source.clip(Draw(0, 0, 0)).frames.shape == (frames, 3, 288, 432)
    # The middle 384 of 448 columns and all rows, enlarged by 9 / 8.
    listed = (shared / name / f"{name[6:9]}_testlist.txt").read_text().split()[0]
    picture = cv2.imread(str(shared / name / "sequences" / listed / "im1.png"), cv2.IMREAD_COLOR_RGB)[:, 32:416]
    wanted = cv2.resize(picture, (432, 288), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sources[2].clip(Draw(0, 0, 0)).frames[0].permute(1, 2, 0).numpy(), wanted)

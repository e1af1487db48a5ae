import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datamodules.errors import DataError
from datamodules.random import Draw
from datamodules.vimeo90k import Vimeo90K

TRAIN, TEST = ("00001/0001", "00001/0002", "00003/0010"), ("00002/0004",)


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


def data(root: Path, style: str, **options: object) -> Vimeo90K:
    return Vimeo90K(str(root), style, **{"size": (15, 15), "frames": 3, "workers": 0, **options})


def times(clip: torch.Tensor) -> list[int]:
    """The numbers of the pictures a clip shows."""
    return [round(float(green) / 30) for green in clip[:, 1, 8, 8]]


@pytest.mark.parametrize(("prefix", "length"), [("sep", 7), ("tri", 3)])
def test_the_published_lists_decide_what_is_trained_on(tmp_path: Path, style: str, prefix: str, length: int) -> None:
    module = data(write(tmp_path / "vimeo", prefix, length), style)
    for split, which in (("train", [0, 1, 2]), ("val", [3])):
        source = module.content_clips(split)
        clips = [source.clip(Draw(0, 0, i)) for i in range(len(source))]
        assert [round(float(clip.frames[0, 0, 0, 0]) / 30) for clip in clips] == which
        assert {clip.frames.shape for clip in clips} == {(3, 3, 16, 16)}
        assert {clip.flow for clip in clips} == {None}


def test_training_draws_start_direction_and_place(tmp_path: Path, style: str) -> None:
    source = data(write(tmp_path / "vimeo"), style).content_clips("train")
    clips = [source.clip(Draw(0, epoch, 1)).frames for epoch in range(120)]
    runs = {tuple(times(clip)) for clip in clips}
    rising = {(start, start + 1, start + 2) for start in range(1, 6)}
    assert runs == rising | {run[::-1] for run in rising}
    # A window 16 wide has 13 places in 28 columns, the same for all frames of a clip.
    assert {int(clip[0, 2, 0, 0]) for clip in clips} == set(range(13))
    assert all(torch.equal(clip[0, 2], clip[2, 2]) for clip in clips)
    assert torch.equal(clips[5], source.clip(Draw(0, 5, 1)).frames)


def test_validation_is_fixed_and_central(tmp_path: Path, style: str) -> None:
    source = data(write(tmp_path / "vimeo"), style).content_clips("val")
    clip = source.clip(Draw(0, 0, 0)).frames
    assert times(clip) == [3, 4, 5]
    assert int(clip[0, 2, 0, 0]) == 6
    assert torch.equal(clip, source.clip(Draw(9, 4, 0)).frames)


def test_a_batch_holds_both_domains(tmp_path: Path, style: str) -> None:
    module = data(write(tmp_path / "vimeo"), style, batch_size=3, frames=7)
    module.setup()
    batch = next(iter(module.train_dataloader()))
    assert batch.content.frames.shape == batch.style.frames.shape == (3, 7, 3, 16, 16)
    assert sorted(round(float(red) / 30) for red in batch.content.frames[:, 0, 0, 0, 0]) == [0, 1, 2]


def test_longer_clips_than_sequences_are_refused(tmp_path: Path, style: str) -> None:
    with pytest.raises(DataError, match="expected frames <= 7, the length of its sequences, got 8"):
        data(write(tmp_path / "a"), style, frames=8).setup()
    with pytest.raises(DataError, match="frames <= 3"):
        data(write(tmp_path / "b", "tri", 3), style, frames=4).setup()


def test_missing_sequences_are_counted_and_named(tmp_path: Path, style: str) -> None:
    root = write(tmp_path / "vimeo")
    (root / "sequences" / TRAIN[0] / "im5.png").unlink()
    (root / "sequences" / TRAIN[2]).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=re.escape(f"2 of 3 missing or incomplete ({TRAIN[0]}, {TRAIN[2]})")):
        data(root, style).setup()
    with pytest.warns(UserWarning, match="2 of 3 missing"):
        source = data(root, style, allow_missing=True).content_clips("train")
    assert len(source) == 1
    assert float(source.clip(Draw(0, 0, 0)).frames[0, 0, 0, 0]) == 30
    (root / "sequences" / TEST[0]).rename(tmp_path / "all of the test list")
    with pytest.raises(DataError, match="1 of 1 missing"):
        data(root, style, allow_missing=True).content_clips("val")


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "expected sep_trainlist.txt .* got neither"),
        ({"sep_trainlist.txt": "00001/0001", "tri_trainlist.txt": "00001/0001"}, "got the lists of both sets"),
        ({"sep_trainlist.txt": ""}, "expected lines such as 00001/0266, got none"),
        ({"sep_trainlist.txt": "00001/0001\n../../etc"}, "got '../../etc'"),
        ({"sep_trainlist.txt": "00001/0001"}, "sep_testlist.txt: expected a list of sequences, got no file"),
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
@pytest.mark.parametrize(("name", "frames", "sizes"), [("vimeo_septuplet", 7, (13, 5)), ("vimeo_triplet", 3, (6, 1))])
def test_real_sequences_load(shared: Path, name: str, frames: int, sizes: tuple[int, int]) -> None:
    module = Vimeo90K(str(shared / name), str(shared / "styles"), size=(256, 384), frames=frames, workers=0)
    module.setup()
    sources = module.content_clips("train"), module.content_clips("val")
    assert tuple(map(len, sources)) == sizes
    for source in sources:
        assert source.clip(Draw(0, 0, 0)).frames.shape == (frames, 3, 288, 432)
    # The middle 384 of 448 columns and all rows, enlarged by 9 / 8.
    listed = (shared / name / f"{name[6:9]}_testlist.txt").read_text().split()[0]
    picture = cv2.imread(str(shared / name / "sequences" / listed / "im1.png"), cv2.IMREAD_COLOR_RGB)[:, 32:416]
    wanted = cv2.resize(picture, (432, 288), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sources[1].clip(Draw(0, 0, 0)).frames[0].permute(1, 2, 0).numpy(), wanted)

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from lightning_modules.pictures import CELL, GAP, encode, headings, shortened, side_by_side, to_and_fro


def test_small_pictures_grow_by_a_whole_factor_and_large_ones_stay() -> None:
    dots = torch.linspace(-1, 1, 2 * 3 * 3 * 4 * 5).reshape(1, 2, 3, 3, 4, 5)[0]
    small = side_by_side([dots])
    factor = CELL // 4
    assert small.shape == (2, 3, CELL + GAP, 5 * factor + GAP, 3)
    expected = ((dots + 1) * 127.5).round().byte().permute(0, 1, 3, 4, 2).numpy()
    np.testing.assert_array_equal(small[:, :, factor // 2 : CELL : factor, factor // 2 : 5 * factor : factor], expected)
    assert side_by_side([torch.zeros(1, 1, 3, CELL + 7, 9)]).shape[2:4] == (CELL + 7 + GAP, 9 + GAP)


def test_headings_stand_over_their_columns() -> None:
    line = headings(["a", "", "b"], 300)
    dark = np.flatnonzero((line < 128).any(axis=(0, 2)))
    assert ((dark > 40) & (dark < 60) | (dark > 240) & (dark < 260)).all()
    assert dark.min() < 100 < 200 < dark.max()


def test_a_long_heading_stays_over_its_column() -> None:
    line = headings(["a/very/long/name/of/a/checkpoint", "b"], 200)
    dark = np.flatnonzero((line < 128).any(axis=(0, 2)))
    assert 40 < dark[dark < 100].max() < 98  # most of its share, and nothing beyond
    assert headings(["anything"], 6).min() > 128  # no room: no name


def test_shortened_names_keep_their_ends() -> None:
    assert [shortened("abcdefgh", most) for most in (9, 8, 7, 4, 2, 1)] == ["abcdefgh"] * 2 + ["abc…fgh", "ab…h", "a…", "…"]


def test_frames_go_to_and_fro_without_repeating_the_ends() -> None:
    frames = np.arange(3, dtype=np.uint8)
    assert [int(frame) for frame in to_and_fro(frames, least=7)] == [0, 1, 2, 1, 0, 1, 2, 1]
    assert [int(frame) for frame in to_and_fro(frames[:1], least=3)] == [0, 0, 0]


def test_encoded_frames_come_back_in_order_at_an_even_size(tmp_path: Path) -> None:
    greys = (20, 120, 220)
    encode([np.full((33, 47, 3), grey, np.uint8) for grey in greys], tmp_path / "x.mp4", rate=5)
    with av.open(str(tmp_path / "x.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 5
    assert [frame.shape for frame in frames] == [(34, 48, 3)] * 3
    assert [float(frame.mean()) for frame in frames] == pytest.approx(greys, abs=3)


def test_players_can_begin_before_the_whole_film_is_there(tmp_path: Path) -> None:
    encode([np.zeros((32, 32, 3), np.uint8)], tmp_path / "x.mp4", rate=5)
    written = (tmp_path / "x.mp4").read_bytes()
    assert 0 < written.index(b"moov") < written.index(b"mdat")

"""Maps, against scikit-image, torchmetrics and loops."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d
from skimage.color import deltaE_cie76, rgb2lab
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_modules.metrics.maps import SMOOTH, colour_shift_map, error_map, structure_map
from lightning_modules.metrics.warping_error import warping_error


def clips(seed: int) -> Tensor:
    return torch.rand(2, 3, 3, 20, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def box(picture: np.ndarray) -> np.ndarray:
    for axis in (0, 1, 0, 1):
        picture = uniform_filter1d(picture, SMOOTH, axis=axis, mode="nearest")
    return picture


def test_colour_shift_equals_scikit_images_delta_e() -> None:
    output, content = 0.3 * clips(1) + 0.5, clips(2)
    found = colour_shift_map(output, content)
    assert found.shape == (2, 3, 20, 24)
    for i, t in ((0, 0), (1, 2)):
        a, b = (rgb2lab((box(x[i, t].movedim(0, -1).double().numpy()) + 1) / 2) for x in (output, content))
        np.testing.assert_allclose(found[i, t], deltaE_cie76(a, b), rtol=2e-3, atol=2e-3)  # their white points differ in digits


def test_colour_shift_is_100_from_black_to_white_and_0_for_strokes_alone() -> None:
    white = torch.ones(3, 30, 30)
    assert colour_shift_map(white, -white).mean() == pytest.approx(100, abs=0.01)
    strokes = (torch.arange(30) % 2 * 2.0 - 1).expand(3, 30, 30)
    assert colour_shift_map(0.3 * strokes, -0.3 * strokes)[10:20, 10:20].max() < 2


def test_structure_equals_torchmetrics_ssim_of_luma() -> None:
    content = clips(1)
    output = 0.7 * content + 0.3 * clips(2)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    a, b = (((x + 1) / 2 * weights).sum(2).flatten(0, 1)[:, None] for x in (output, content))
    _, expected = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    torch.testing.assert_close(structure_map(output, content), expected.view(2, 3, 20, 24), atol=1e-4, rtol=1e-4)


def test_structure_is_1_where_kept_and_negative_where_inverted() -> None:
    content = clips(1)[0, 0]
    output = torch.cat([content[..., :12], -content[..., 12:]], dim=-1)
    found = structure_map(output, content)
    torch.testing.assert_close(found[:, :7], torch.ones(20, 7))
    assert found[:, 18:].max() < 0


def test_errors_are_those_of_the_warping_error() -> None:
    frames, flow = clips(1), torch.randn(2, 2, 2, 20, 24, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(2, 2, 1, 20, 24)
    assert error_map(frames, flow, everywhere).mean() == pytest.approx(float(warping_error(frames, flow, everywhere)), rel=1e-5)


def test_errors_are_means_over_the_pairs_in_which_a_pixel_is_visible() -> None:
    frames, still = clips(1), torch.zeros(2, 2, 2, 20, 24)
    visible = torch.rand(2, 2, 1, 20, 24, generator=torch.Generator().manual_seed(0)) < 0.5
    found = error_map(frames, still, visible)
    values = ((frames.double() + 1) / 2).numpy()
    for y, x in ((0, 0), (3, 5), (19, 23), (7, 1), (8, 2), (9, 4)):
        squares = [
            ((values[1, t, :, y, x] - values[1, t + 1, :, y, x]) ** 2).mean() for t in range(2) if visible[1, t, 0, y, x]
        ]
        expected = np.mean(squares) if squares else np.nan
        assert float(found[1, y, x]) == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert torch.equal(found.isnan(), ~visible.any(1)[:, 0])

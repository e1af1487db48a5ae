"""SSIM and PSNR, against scikit-image in float64 and torchmetrics."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_modules.metrics.similarity import PSNR, SSIM, MeanOverPictures, ssim_map


def clips(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two clips of two frames of a photograph, and something like them."""
    photograph = torch.from_numpy(astronaut()).movedim(-1, 0)[:, 60:160, 120:280] / 127.5 - 1
    content = torch.stack([photograph[:, i : i + 40, 2 * i : 2 * i + 48] for i in (0, 7, 20, 40)]).unflatten(0, (2, 2))
    noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(seed))
    return (0.8 * content + 0.2 * noise * torch.tensor([0.1, 0.5]).view(2, 1, 1, 1, 1)).clamp(-1, 1), content


def images(values: Tensor) -> list[np.ndarray]:
    return list((values.flatten(0, 1).movedim(1, -1).double().numpy() + 1) / 2)


def judge(metric: MeanOverPictures, output: Tensor, content: Tensor) -> float:
    metric.update(output, content)
    return float(metric.compute())


def test_ssim_equals_scikit_images() -> None:
    output, content = clips()
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": -1}
    expected = [structural_similarity(a, b, **options) for a, b in zip(images(output), images(content), strict=True)]
    assert judge(SSIM(), output, content) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_map_equals_torchmetrics_inside() -> None:
    output, content = (x.flatten(0, 1).double() for x in clips())
    pair = (output + 1) / 2, (content + 1) / 2
    _, full = structural_similarity_index_measure(*pair, data_range=1.0, return_full_image=True)
    torch.testing.assert_close(ssim_map(output, content), full[..., 5:-5, 5:-5])


def test_psnr_equals_scikit_images() -> None:
    output, content = clips()
    expected = [peak_signal_noise_ratio(b, a, data_range=1.0) for a, b in zip(images(output), images(content), strict=True)]
    assert judge(PSNR(), output, content) == pytest.approx(np.mean(expected), rel=1e-5)


def test_identical_pictures() -> None:
    _, content = clips()
    assert judge(SSIM(), content, content) == pytest.approx(1)
    metric = PSNR(resamples=20)
    assert judge(metric, content, content) == pytest.approx(100)
    assert metric.interval() == pytest.approx((100, 100))


def test_opposites() -> None:
    white, black = torch.ones(1, 1, 3, 16, 16), -torch.ones(1, 1, 3, 16, 16)
    assert judge(PSNR(), white, black) == pytest.approx(0, abs=1e-5)
    stripes = (torch.arange(16) % 2 * 2.0 - 1).expand(1, 1, 3, 16, 16)
    assert judge(SSIM(), stripes, -stripes) < -0.95


def test_inverted_light_and_noise_are_worse_than_little_noise() -> None:
    output, content = clips()
    for metric in (SSIM, PSNR):
        near, far = (judge(metric(), output[i : i + 1], content[i : i + 1]) for i in (0, 1))
        assert near > far > judge(metric(), -content[1:], content[1:])


@pytest.mark.parametrize("metric", [SSIM, PSNR])
def test_batches_do_not_matter_and_clips_are_resampled(metric: type[MeanOverPictures]) -> None:
    output, content = clips()
    whole, parts = metric(50), metric(50)
    whole.update(output, content)
    for i in (1, 0):
        parts.update(output[i : i + 1], content[i : i + 1], [i])
    torch.testing.assert_close(parts.sums, whole.sums, rtol=1e-6, atol=0)
    low, high = whole.interval()
    assert low < float(whole.compute()) < high


def test_clips_of_many_frames_count_more() -> None:
    output, content = clips()
    metric = PSNR()
    metric.update(output[:1], content[:1])
    metric.update(output[1:, :1], content[1:, :1])
    expected = [judge(PSNR(), output[i : i + 1, t : t + 1], content[i : i + 1, t : t + 1]) for i, t in ((0, 0), (0, 1), (1, 0))]
    assert float(metric.compute()) == pytest.approx(np.mean(expected), rel=1e-6)


def test_half_precision_is_judged_in_full() -> None:
    output, content = (x.bfloat16() for x in clips())
    assert judge(SSIM(), output, content) == judge(SSIM(), output.float(), content.float())


def test_refusals() -> None:
    output, content = clips()
    with pytest.raises(ValueError, match=r"SSIM: expected two batches .* one shape, got \(2, 2, 3, 40, 48\) and \(1, 2,"):
        SSIM().update(output, content[:1])
    with pytest.raises(ValueError, match=r"PSNR: expected two batches of clips .* got \(2, 3, 40, 48\)"):
        PSNR().update(output[0], content[0])
    with pytest.raises(ValueError, match=r"at least 11, got \(3, 10, 48\)"):
        SSIM().update(output[..., :10, :], content[..., :10, :])

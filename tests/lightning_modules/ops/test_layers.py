"""Layers that do with less work what torch's do."""

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.ops.layers import EdgeConv2d, InstanceNorm2d, PaddedConv2d, pad, repeat_edges

CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize("layout", [CHANNELS_LAST, CONTIGUOUS])
@pytest.mark.parametrize("pictures", [1, 3])
def test_every_channel_of_every_picture_is_normalised_alone(pictures: int, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    raw = torch.randn(pictures, 4, 5, 6) * torch.rand(pictures, 4, 1, 1) + torch.randn(pictures, 4, 1, 1)
    normed = InstanceNorm2d(4, eps=1e-12)(raw.contiguous(memory_format=layout))
    assert normed.is_contiguous(memory_format=layout)
    mean = raw.flatten(2).mean(2)[..., None, None]
    deviation = (raw - mean).square().flatten(2).mean(2).sqrt()[..., None, None]
    torch.testing.assert_close(normed, ((raw - mean) / deviation).contiguous(memory_format=layout), atol=1e-5, rtol=1e-5)


def test_the_exported_norm_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    norm, raw = InstanceNorm2d(4), 3 * torch.randn(2, 4, 5, 6) + 1
    eager = norm(raw)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(norm(raw), eager, atol=1e-6, rtol=1e-5)
    assert norm(raw.half()).dtype == torch.float16


def test_the_layout_changes_no_gradient() -> None:
    torch.manual_seed(0)
    norm, towards = InstanceNorm2d(4), torch.randn(2, 4, 5, 6)

    def gradient(raw: Tensor) -> Tensor:
        raw.requires_grad_(True)
        (norm(raw) * towards).sum().backward()
        assert raw.grad is not None
        return raw.grad

    raw = torch.randn(2, 4, 5, 6)
    plain, last = gradient(raw.clone()), gradient(raw.contiguous(memory_format=CHANNELS_LAST))
    torch.testing.assert_close(last.contiguous(), plain)
    assert plain.flatten(2).sum(2).abs().max() < 1e-4  # a constant added to a channel changes nothing


@pytest.mark.parametrize("border", ["reflect", "replicate"])
def test_padded_convolution_is_torchs(border: str) -> None:
    torch.manual_seed(0)
    ours, torchs = PaddedConv2d(3, 4, 5, border), nn.Conv2d(3, 4, 5, padding=2, padding_mode=border)
    torchs.load_state_dict(ours.state_dict())
    frames = torch.randn(2, 3, 7, 9)
    torch.testing.assert_close(ours(frames), torchs(frames))


def test_edge_convolution_is_torchs() -> None:
    ours, torchs = EdgeConv2d(3, 4, 5), nn.Conv2d(3, 4, 5, padding=2, padding_mode="replicate")
    torchs.load_state_dict(ours.state_dict())
    frames = torch.randn(2, 3, 7, 9)
    assert torch.equal(ours(frames), torchs(frames))


def test_edges_are_the_same_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeated() -> list[Tensor]:
        frames = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5).requires_grad_()
        bordered = repeat_edges(frames, 2)
        return [bordered, *torch.autograd.grad((bordered * torch.arange(bordered.numel()).view_as(bordered)).sum(), frames)]

    eager = repeated()
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert all(torch.equal(a, b) for a, b in zip(eager, repeated(), strict=True))


def test_borders_are_what_they_say() -> None:
    row = torch.tensor([1.0, 2.0, 3.0]).expand(1, 1, 3, 3)
    assert pad(row, 2, "reflect")[0, 0, 0].tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert pad(row, 2, "replicate")[0, 0, 0].tolist() == [1, 1, 1, 2, 3, 3, 3]


def test_bfloat16_stays_under_autocast() -> None:
    frames = torch.randn(1, 3, 8, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert pad(frames, 1, "reflect").dtype == torch.bfloat16
        assert pad(frames.float(), 1, "reflect").dtype == torch.float32
        assert PaddedConv2d(3, 3, 3, "reflect")(frames.float()).dtype == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")

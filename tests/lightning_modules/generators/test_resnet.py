"""CycleGAN's generator."""

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.generators.resnet import ResNetGenerator


@pytest.mark.parametrize(("blocks", "parameters"), [(9, 11_378_179), (6, 7_837_699)])
@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_parameters_are_those_of_cyclegan(blocks: int, parameters: int, upsample: str) -> None:
    with torch.device("meta"):
        network = ResNetGenerator(blocks=blocks, upsample=upsample)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert not any(layer.affine for layer in network.modules() if isinstance(layer, nn.InstanceNorm2d))


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_size_and_range_are_kept(upsample: str) -> None:
    network = ResNetGenerator(4, 1, upsample)
    for shape in ((2, 3, 8, 8), (3, 12, 20), (2, 2, 3, 16, 8)):
        painted = network(torch.rand(shape) * 2 - 1)
        assert painted.shape == shape
        assert painted.abs().max() <= 1


def test_frames_are_painted_one_by_one() -> None:
    network = ResNetGenerator(4, 2)
    clips = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    single = torch.stack([torch.stack([network(frame) for frame in clip]) for clip in clips])
    torch.testing.assert_close(network(clips), single, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("size", [(4, 8), (8, 10), (18, 16)])
def test_sizes_that_do_not_fit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 4 and at least 8, got {size[0]}x{size[1]}"):
        ResNetGenerator(2, 1)(torch.zeros(1, 3, *size))


def test_resizing_leaves_no_checkerboard() -> None:
    even, uneven = (ResNetGenerator(8, 1, upsample) for upsample in ("resize", "transposed"))
    flat = torch.ones(1, 32, 6, 6)
    at = [isinstance(layer, nn.Upsample) for layer in even.layers].index(True)
    assert even.layers[at : at + 2](flat).std((2, 3)).max() < 1e-6
    transposed = next(layer for layer in uneven.layers if isinstance(layer, nn.ConvTranspose2d))
    assert transposed(flat).std((2, 3)).min() > 1e-3


def test_starts_from_small_normal_weights() -> None:
    for weight in (p for p in ResNetGenerator(32, 2).parameters() if p.numel() > 9000):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_unknown_upsampling() -> None:
    with pytest.raises(ValueError, match="transposed, resize, got 'nearest'"):
        ResNetGenerator(2, 1, "nearest")


def pair() -> tuple[ResNetGenerator, ResNetGenerator]:
    """The same network without and with checkpointing."""
    plain, saving = ResNetGenerator(4, 3), ResNetGenerator(4, 3, checkpointing=True)
    saving.load_state_dict(plain.state_dict())  # the keys are the same
    return plain, saving


def test_checkpointing_changes_no_bit_of_results_and_gradients() -> None:
    frames = torch.rand(2, 3, 16, 16) * 2 - 1
    found: list[list[Tensor]] = []
    for network in pair():
        x = frames.clone().requires_grad_()
        painted = network(x)
        gradients = torch.autograd.grad(painted.square().sum(), [x, *network.parameters()])
        found.append([painted, *gradients])
    assert len(found[0]) == 2 + len(list(pair()[0].parameters()))
    assert all(gradient.abs().max() > 0 for gradient in found[0][1:] if gradient.dim() > 1)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def kept_bytes(network: nn.Module, frames: Tensor) -> int:
    """What autograd keeps of a forward pass, weights aside."""
    kept = {p.untyped_storage().data_ptr(): 0 for p in network.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        painted = network(frames)
    assert painted.isfinite().all()  # and all of it is still alive: no address was counted twice
    return sum(kept.values())


def test_checkpointing_keeps_the_inputs_of_the_blocks_alone() -> None:
    frames = torch.rand(1, 3, 32, 32)
    (shallow, shallow_saving), (deep, deep_saving) = (
        [kept_bytes(ResNetGenerator(4, blocks, checkpointing=on), frames) for on in (False, True)] for blocks in (1, 9)
    )
    features = 16 * 8 * 8 * 4  # bytes of a block's input
    assert deep_saving - shallow_saving == 8 * features
    assert deep - shallow > 4 * (deep_saving - shallow_saving)
    assert deep_saving < 0.6 * deep


def test_checkpointing_computes_nothing_twice_without_gradients() -> None:
    network, calls = pair()[1], []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        network(torch.rand(1, 3, 8, 8))
    once = len(calls)
    network(torch.rand(1, 3, 8, 8)).sum().backward()
    assert len(calls) == 2 * once + 2 * 3  # two convolutions of three blocks, for the backward pass


def test_checkpointing_is_described() -> None:
    assert ResNetGenerator(2, 1, checkpointing=True).describe()["init_args"]["checkpointing"] is True


def test_norms_over_the_frame_let_no_pixel_be_alone() -> None:
    generator = ResNetGenerator(4, 1)
    assert generator.reach is None
    frames = torch.zeros(1, 3, 64, 64).uniform_(-1, 1).requires_grad_()
    generator(frames)[0, 0, 0, 0].backward()
    assert frames.grad is not None
    assert (frames.grad[..., -1, -1] != 0).any()

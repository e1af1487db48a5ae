"""A published frame-wise network to compare with: ``python -m fit.evaluate RUN tests/framewise_network.py:mosaic``.

The feed-forward network of Johnson et al. 2016 with instance norm and upsampling, by the layer table of pytorch/examples, with
trained weights of its mosaic style from the folder of real test data. It sees one frame at a time, so it flickers.
"""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARED = Path(os.environ.get("FIT_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")

TABLE = {  # name: channels in and out, kernel, stride, upsampling
    "conv1": (3, 32, 9, 1, 1), "conv2": (32, 64, 3, 2, 1), "conv3": (64, 128, 3, 2, 1),
    **{f"res{i}.conv{j}": (128, 128, 3, 1, 1) for i in range(1, 6) for j in (1, 2)},
    "deconv1": (128, 64, 3, 1, 2), "deconv2": (64, 32, 3, 1, 2), "deconv3": (32, 3, 9, 1, 1),
}  # fmt: skip
NORMS = {"conv1": "in1", "conv2": "in2", "conv3": "in3", "deconv1": "in4", "deconv2": "in5"}
NORMS |= {f"res{i}.conv{j}": f"res{i}.in{j}" for i in range(1, 6) for j in (1, 2)}


class TransformerNet(nn.Module):
    """Repaints ``(N, 3, H, W)`` in [-1, 1], sides multiples of 4; works on 0 to 255 within."""

    def __init__(self) -> None:
        super().__init__()
        for name, (before, after, kernel, stride, _) in TABLE.items():
            self.put(f"{name}.conv2d", nn.Conv2d(before, after, kernel, stride))
            if name in NORMS:
                self.put(NORMS[name], nn.InstanceNorm2d(after, affine=True))

    def put(self, path: str, layer: nn.Module) -> None:
        *parents, name = path.split(".")
        module: nn.Module = self
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, nn.Module())
            module = getattr(module, parent)
        module.add_module(name, layer)

    def layer(self, name: str, x: Tensor) -> Tensor:
        *_, kernel, _, up = TABLE[name]
        x = F.interpolate(x, scale_factor=up) if up > 1 else x
        x = self.get_submodule(f"{name}.conv2d")(F.pad(x, (kernel // 2,) * 4, mode="reflect"))
        return self.get_submodule(NORMS[name])(x) if name in NORMS else x

    def forward(self, frames: Tensor) -> Tensor:
        x = (frames + 1) * 127.5
        for name in ("conv1", "conv2", "conv3"):
            x = self.layer(name, x).relu()
        for i in range(1, 6):
            x = x + self.layer(f"res{i}.conv2", self.layer(f"res{i}.conv1", x).relu())
        painted = self.layer("deconv3", self.layer("deconv2", self.layer("deconv1", x).relu()).relu())
        return (painted / 127.5 - 1).clamp(-1, 1)


def mosaic() -> TransformerNet:
    """With the published weights."""
    network = TransformerNet().eval()
    weights = torch.load(SHARED / "weights" / "transformernet_mosaic_fp16.pth", weights_only=True)
    network.load_state_dict({key: value.float() for key, value in weights.items()})
    return network

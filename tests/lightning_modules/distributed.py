"""Training runs split over devices and batches, for test_distributed.py; started as two processes with their rank.

    python distributed.py RANK PORT FOLDER

Every case is run on two gloo processes of two clips each; what was learned lies in FOLDER/<case>.pt afterwards.
"""

import inspect
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from datamodules.batch import ClipBatch, Clips
from lightning_modules.cyclegan import CycleGAN
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.ops.pretrained import Frozen

GLOBAL, SIDE = 4, 32  # clips of the global batch; pixels


class Features(Frozen):
    """In place of a pretrained network: one fixed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
        self.freeze()

    def forward(self, frames: Tensor) -> list[Tensor]:
        return [self.layer(frames).relu()]


class WithSGD(CycleGAN):
    """Plain steps down the gradient: Adam divides by its size and would hide a wrong factor."""

    def configure_optimizers(self) -> Any:
        return [SGD(parameters, lr) for parameters, lr in self.parameters_of().values()]


# name: (batches of the global size, options)
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "wgan_gp": (10, {"adversarial": "wasserstein", "penalty": "gradient", "n_critic": 5}),
    "r1": (8, {"adversarial": "hinge", "penalty": "r1", "penalty_every": 2, "norm": "spectral", "clip": 0.5}),
    "least_squares": (
        8,
        {
            "adversarial": "lsgan",
            "known_motion_weight": 1.0,
            "total_variation_weight": 0.1,
            "content_weight": 1.0,
            "gram_weight": 1.0,
            "extractor": Features,
        },
    ),
    "accumulated": (8, {"adversarial": "lsgan", "penalty": "gradient", "n_critic": 2, "norm": "spectral", "accumulate": 2}),
}
DTYPES = {"float64": torch.float64, "float32": torch.float32}


def method(case: str, dtype: str, **options: Any) -> CycleGAN:
    """The same weights every time; every memory is full before the run ends."""
    torch.manual_seed(0)
    settings = {"steps": 100, "lr": 3e-3, "critic_lr": 3e-3, "pool": 8, "clip_pool": 4} | CASES[case][1] | options
    norm = settings.pop("norm", "none")
    settings |= {"palette_weight": 3.0, "texture_weight": 1.0, "random_gram_weight": 1.0}
    if dtype == "float32":
        # The gradient of |x| is its sign, which near 0 hangs on rounding: among a few thousand values of noise, each one that
        # turns moves a small tensor by a hundredth of its size. The objectives of critics and generators have no such jumps.
        names = [name for name in inspect.signature(CycleGAN).parameters if name.endswith("_weight")]
        settings |= {name: 0.0 for name in names if name not in ("image_weight", "clip_weight", "penalty_weight")}
    return WithSGD(
        generator=partial(RealtimeGenerator, 24, 1, adaptive=True),
        image_critic=partial(PatchGAN, 4, 1, norm),
        temporal_critic=partial(TemporalPatchGAN, 4, 2, norm),
        **settings,
    ).to(DTYPES[dtype])


def batches(count: int, dtype: torch.dtype) -> list[ClipBatch]:
    """Noise with flow; clips see more and less of it, as they do."""
    draws, made = torch.Generator().manual_seed(1), []
    for _ in range(count):
        content, style = (torch.rand(GLOBAL, 3, 3, SIDE, SIDE, generator=draws) * 2 - 1 for _ in range(2))
        motion = torch.randn(GLOBAL, 2, 2, SIDE, SIDE, generator=draws)
        seen = torch.rand(GLOBAL, 1, 1, 1, 1, generator=draws)
        visible = (torch.rand(GLOBAL, 2, 1, SIDE, SIDE, generator=draws) < seen).float()
        made.append(ClipBatch(Clips(*(part.to(dtype) for part in (content, motion, visible))), Clips(0.5 * style.to(dtype))))
    return made


def split(batch: ClipBatch, part: slice) -> ClipBatch:
    """Some of the clips of a batch."""
    content, style = (Clips(*(None if v is None else v[part] for v in clips)) for clips in (batch.content, batch.style))
    return ClipBatch(content, style)


def run(case: str, dtype: str, ranks: int = 1, rank: int = 0, accumulate: int = 1) -> tuple[CycleGAN, Trainer]:
    """Train one rank's share of every batch; with ``accumulate``, in that many parts."""
    count, options = CASES[case]
    accumulate *= options.get("accumulate", 1)
    network = method(case, dtype, accumulate=accumulate)
    size = GLOBAL // (ranks * accumulate)
    parts = [slice((part * ranks + rank) * size, (part * ranks + rank + 1) * size) for part in range(accumulate)]
    data = [split(batch, part) for batch in batches(count, DTYPES[dtype]) for part in parts]
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=ranks,
        strategy="ddp_find_unused_parameters_true" if ranks > 1 else "auto",
        logger=False,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(network, DataLoader(data, batch_size=None))
    return network, trainer


def main(rank: int, port: int, folder: Path) -> None:
    """All cases on this rank."""
    os.environ |= {"LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = str(port)
    torch.set_num_threads(1)
    for case in CASES:
        for dtype in DTYPES:
            _, trainer = run(case, dtype, 2, rank)
            trainer.save_checkpoint(folder / f"{case}-{dtype}.ckpt")
            logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
            torch.save(logged, folder / f"{case}-{dtype}-{rank}.logged")
            torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

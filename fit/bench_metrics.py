"""How many clips a second the metrics judge, the painting itself not counted."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch import Tensor
from torchvision.models import alexnet, vgg19

from fit.evaluation.clips import Judged, Look, judged_clips
from fit.evaluation.judge import Judge
from fit.evaluation.painters import blurred
from fit.evaluation.tools import Tools
from fit.hardware import place
from lightning_modules.flow import DISFlow
from lightning_modules.losses.perceptual import FeatureExtractor
from lightning_modules.metrics.extractor import RandomFeatures
from lightning_modules.metrics.lpips import LPIPS
from lightning_modules.metrics.temporal_flow import TemporalFlow
from lightning_modules.metrics.temporal_lpips import TemporalLPIPS
from lightning_modules.metrics.warping_error import FlickerRatio

FRAMES = 7
Step = Callable[[Judged, Tensor], object]


def metrics(given: argparse.Namespace) -> None:
    """Print a table of clips per second, medians over all clips and repeats, one painter judged from scratch."""
    clips = list(judged_clips("scenes", Look(), given.clips, DISFlow("quick"), given.size, FRAMES))
    outputs = [blurred(clip.content[0].flip(1))[None] for clip in clips]  # any other picture of that size
    height, width = given.size
    print(f"{len(clips)} clips of {FRAMES}x{height}x{width}, {given.repeats} times, {place(torch.device('cpu'))}")
    print(f"{'':46}clips/s")
    with TemporaryDirectory() as folder, torch.inference_mode():
        for name, step in steps(Path(folder)):
            step(clips[0], outputs[0])  # warms up
            print(f"{name:46}{1 / median(seconds(step, clips, outputs, given.repeats)):7.2f}", flush=True)


def seconds(step: Step, clips: list[Judged], outputs: list[Tensor], repeats: int) -> Iterator[float]:
    """Of each clip, every time."""
    for _ in range(repeats):
        for clip, output in zip(clips, outputs, strict=True):
            begun = perf_counter()
            step(clip, output)
            yield perf_counter() - begun


def steps(folder: Path) -> Iterator[tuple[str, Step]]:
    """Name and work of each row. Weights are drawn: they take as long as trained ones."""
    torch.save(alexnet().features.state_dict(), folder / "alex.pth")
    torch.save(vgg19().features.state_dict(), folder / "vgg.pth")
    flow, ratio, lpips = DISFlow("quick"), FlickerRatio(), LPIPS("alex", folder / "alex.pth")
    tof, tlp = TemporalFlow(), TemporalLPIPS(lpips)

    def flicker(clip: Judged, output: Tensor) -> None:
        ratio.update(output, clip.content, *flow.estimate(clip.content))  # whose sums hold E_warp, too

    def temporal(clip: Judged, output: Tensor) -> None:
        flicker(clip, output)
        tof.update(output, clip.content)
        tlp.update(output, clip.content)

    yield "flow (DIS), E_warp, R", flicker
    yield "the same and tOF, tLP (AlexNet)", temporal
    yield "all of a card, with random features", whole(Tools(RandomFeatures()), flow)
    deep = FeatureExtractor(weights=folder / "vgg.pth")
    yield "all of a card, with VGG-19 and LPIPS (AlexNet)", whole(Tools(deep, lpips), flow)


def whole(tools: Tools, flow: DISFlow) -> Step:
    """Everything that a card says of a painter that can go back, but its cost."""
    judge = Judge(tools)
    return lambda clip, output: judge.see(output, clip._replace(motion=flow.estimate(clip.content)), output)

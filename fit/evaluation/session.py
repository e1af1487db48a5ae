"""One evaluation, from what a command line says to a card."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torchvision.models import AlexNet_Weights
from tqdm import tqdm

from fit.evaluation.card import Card, Fact
from fit.evaluation.clips import NOISE, Look, judged_clips
from fit.evaluation.columns import columns
from fit.evaluation.cost import SIZES, facts, measure, parameters
from fit.evaluation.measure import judge_all, to_card
from fit.evaluation.painters import Painter, controls, distinct, framewise, from_checkpoint, networks, run_of
from fit.evaluation.tools import Tools
from fit.folder import new_folder
from fit.hardware import place, usable
from lightning_modules.checkpoint_file import CheckpointError
from lightning_modules.flow import DISFlow, FlowEstimator, RAFTFlow
from lightning_modules.metrics.extractor import Kind
from lightning_modules.metrics.extractor import extractor as features
from lightning_modules.metrics.frechet import ArtInception, Inception, art_inception, inception
from lightning_modules.metrics.lpips import LPIPS
from lightning_modules.ops.pretrained import in_cache

FEW = 8  # clips
Network = TypeVar("Network", Inception, ArtInception)
LpipsKind = Literal["auto", "none", "alex", "vgg", "squeeze"]


class Session:
    """Everything an evaluation needs, opened before any work.

    Args:
        names: of the networks, see ``painters.networks``.
        data: what to judge on, see ``clips.judged_clips``, as are ``clips``, ``frames``, ``size`` and ``split``.
        style: folder of the style; None: what the first network was trained on.
        extractor: of deep features, with ``extractor_weights``.
        lpips: network of the perceptual distances, with ``lpips_weights``.
        inception_weights: of the network of FID and KID; None: those in torch's cache, if they are there.
        art_inception_weights: of the network of ArtFID.
        flow: estimator of the motion of videos, with ``flow_weights``.
        device: to paint on; None: a GPU where there is one.
        speed: sizes at which the networks are timed.

    Raises:
        ValueError, DataError, CheckpointError: what is wrong, in one line.
    """

    def __init__(
        self,
        names: Sequence[str],
        data: str = "scenes",
        style: str | Path | None = None,
        clips: int = 16,
        frames: int | None = None,
        size: tuple[int, int] | None = None,
        split: Literal["test", "all"] = "test",
        extractor: Kind = "auto",
        extractor_weights: str | Path | None = None,
        lpips: LpipsKind = "auto",
        lpips_weights: str | Path | None = None,
        inception_weights: str | Path | None = None,
        art_inception_weights: str | Path | None = None,
        flow: Literal["dis", "raft"] = "dis",
        flow_weights: str | Path | None = None,
        device: str | None = None,
        speed: Sequence[tuple[int, int]] = SIZES,
    ) -> None:
        if flow == "dis" and flow_weights:
            raise ValueError(f"--flow-weights: expected --flow raft, whose weights these are, got {flow_weights}; give it, too")
        self.device = usable(device)
        self.networks, self.speed = networks(names, self.device), speed
        self.runs = [run for run in map(home, self.networks) if run]
        trained_on = [painter.look for painter in self.networks if painter.look]
        self.look = Look(Path(style)) if style else (*trained_on, Look())[0]
        self.flow = "DIS" if flow == "dis" else "RAFT"
        estimator: FlowEstimator = DISFlow("quick") if flow == "dis" else RAFTFlow(weights=flow_weights)
        self.clips = judged_clips(data, self.look, clips, estimator, size, frames, split)
        self.missing: list[str] = []
        self.tools = Tools(
            features(extractor, extractor_weights),
            perceptual(lpips, lpips_weights),
            self._network(inception(inception_weights), inception_weights),
            self._network(art_inception(art_inception_weights), art_inception_weights),
            gap=self.clips.gap,
            exact=self.clips.exact,
        )
        if self.tools.art and not self.tools.published_lpips:
            got = self.tools.lpips.label if self.tools.lpips else "none"
            raise ValueError(f"--art-inception-weights: expected LPIPS (alex) for ArtFID, got {got}; give --lpips alex, too")

    def _network(self, found: Network | str, asked: object) -> Network | None:
        """A network, or None with the reason noted; one that was asked for must be there."""
        if not isinstance(found, str):
            return found
        if asked:
            raise ValueError(found)
        self.missing.append(found)
        return None

    def folder(self) -> Path:
        """Where the card goes if nobody says: into the folder of the run if all networks are of one, else a new one."""
        of_runs_alone = len(self.runs) == len(self.networks)
        return self.runs[0] / "card" if of_runs_alone and len(set(self.runs)) == 1 else new_folder("card")

    def painters(self) -> list[Painter]:
        """The input, controls, the newest frame-wise run, the networks; no two have one name."""
        return distinct([*controls(self.clips.styles()), *self._single(), *self.networks])

    def _single(self) -> list[Painter]:
        """The newest frame-wise run, unless there is none or it is judged anyway; nobody asked for one that is damaged."""
        run = framewise()
        if run is None or run.resolve() in [known.resolve() for known in self.runs]:
            return []
        try:
            return [replace(from_checkpoint(run, self.device), kind="control")]
        except CheckpointError as error:
            self.missing.append(f"no frame-wise control: {error}")
            return []

    def judge(self, folder: Path) -> Card:
        """Paint, measure, and put pictures and films into a folder; the card that names them."""
        painters = self.painters()
        found = columns(self.tools, any(painter.back for painter in painters))
        with tqdm(total=len(self.clips), desc="judging", unit="clip", leave=False, disable=not sys.stderr.isatty()) as bar:
            seats = judge_all(painters, self.clips, self.tools, self.device, bar.update)
        notes = [*self.notes(), *strangers(painters, self.look)]
        card = to_card(seats, self.title(), self.data(), found, self.clips.names, notes, folder)
        for row, painter in zip(card.rows, painters, strict=True):
            if painter.network is not None:
                row.facts["parameters"] = parameters(painter.network)
            if painter.network is not None or painter.kind == "network":
                row.facts.update(facts(measure(painter.paint, self.speed, self.device, in_torch=painter.in_torch)))
        return card

    def title(self) -> str:
        """Of the card."""
        return ", ".join(painter.name for painter in self.networks)

    def data(self) -> dict[str, Fact]:
        """On what, and with what."""
        height, width = self.clips.content.size
        return {
            "content": self.clips.label,
            "style": str(self.look),
            "clips": f"{len(self.clips)} of {self.clips.content.frames} frames, {height}x{width}",
            "motion": f"exact; sensor noise of {NOISE:.2%} of full range"
            if self.clips.exact_flow
            else f"estimated ({self.flow})",
            "features": self.tools.extractor.label,
            "perceptual distance": self.tools.lpips.label if self.tools.lpips else "none",
            "intervals": f"95 %, bootstrap over clips ({self.tools.resamples} resamples)",
            "painted on": place(torch.device(self.device)),
            "versions": f"fit-video-style {version('fit-video-style')}, torch {torch.__version__}",
        }

    def notes(self) -> list[str]:
        """What a reader has to know."""
        found = []
        if self.tools.extractor.label == "random features":
            found.append(
                "Style distances are in random features: good for comparing rows of this card. For the usual ones of VGG-19 "
                "give --extractor vgg19, which downloads its weights, or --extractor-weights FILE."
            )
        if self.tools.lpips is None:
            found.append("LPIPS and tLP are left out: give --lpips alex, which downloads its weights, or --lpips-weights FILE.")
        found += self.missing
        if not self.clips.exact:
            found.append(
                "Added flicker (A) is left out: it needs pictures as content and style, whose motion is known exactly."
            )
        if len(self.clips) < FEW:
            found.append(f"Only {len(self.clips)} clips: intervals of so few are too narrow.")
        return found


def home(painter: Painter) -> Path | None:
    """The folder of the run that a painter is of, if it is of one."""
    return run_of(Path(str(painter.facts["checkpoint"]))) if "checkpoint" in painter.facts else None


def strangers(painters: Sequence[Painter], look: Look) -> list[str]:
    """A line for each painter that was trained on another style than it is judged by."""
    known = [(painter.name, painter.look) for painter in painters if painter.look]
    return [f"{name} was trained on another style: {trained}." for name, trained in known if trained != look]


def perceptual(kind: LpipsKind, weights: str | Path | None) -> LPIPS | None:
    """The network of perceptual distances; ``auto`` is AlexNet where torchvision has cached its weights, and none elsewhere.

    Raises:
        ValueError: weights that cannot be had or do not fit.
    """
    if kind == "auto":
        kind = "alex" if weights or in_cache(AlexNet_Weights.IMAGENET1K_V1.url) else "none"
    return None if kind == "none" else LPIPS(kind, weights)

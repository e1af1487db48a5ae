"""What methods share that paint against critics of frames and of clips: the terms beside the game, and the checks."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from datamodules.batch import Clips
from lightning_modules.base import StyleMethod
from lightning_modules.critics import Critic
from lightning_modules.flow import FlowEstimator
from lightning_modules.generators.base import Generator
from lightning_modules.losses.adversarial import undecided
from lightning_modules.losses.patch_distribution import colour_blind, patch_distance, random_filters, unit, vivid
from lightning_modules.losses.random_gram import random_gram_distance, random_grams, random_layers
from lightning_modules.losses.temporal import known_motion, unwarped, warped
from lightning_modules.ops.colours import style_moments
from lightning_modules.ops.compilation import compile_in_place
from lightning_modules.ops.flow import inside
from lightning_modules.ops.motion import deform, random_smooth_flow
from lightning_modules.ops.statistics import full_precision
from lightning_modules.pool import Recent
from lightning_modules.slots import Slots

Temporal = Literal["warped", "unwarped"]
Compile = Literal["none", "generators", "all"]
SENSOR_NOISE = 2 * 2 / 255  # of the known motion's second frame: 2/255 of full range, on [-1, 1]
LARGE_TERMS = ("palette", "texture", "random_gram")  # look at pictures at a quarter of their size
PROJECTIONS, PATCH = 12, 7  # directions for each slot, and side, of the patches whose distributions are compared
# Pictures of a slot whose patches make up a distribution. One picture shows neither all that the style has nor all that there
# is to paint: alone, each dark scene would be painted with the lights of all paintings.
RECENT = 10


class AdversarialMethod(StyleMethod):
    """A generator ``to_style`` that paints for critics, and terms that know nothing of pairs.

    A weight of 0 skips its term and the work for it. Subclasses make the networks, their attributes, and add their own terms.

    Args:
        weights: of the terms, by their names.
        rates: learning rates of generators and critics.
        betas: of Adam.
        temporal: how frames are compared: along the flow, or at the same pixel.
        compile: which networks to translate to machine code at the start of training.
        shared: of ``StyleMethod``.
    """

    to_style: Generator
    style_critic: Critic
    style_clip_critic: Critic | None
    style_average: Generator
    flow: FlowEstimator | None

    def __init__(
        self,
        weights: dict[str, float],
        rates: tuple[float, float],
        betas: tuple[float, float],
        temporal: Temporal,
        compile: Compile,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.weights, self.rates, self.betas, self.temporal, self.compiled = weights, rates, betas, temporal, compile
        self.recent_style, self.recent_paintings, self.style_grams, self.painting_grams = (Recent(RECENT) for _ in range(4))

    @abstractmethod
    def generators(self) -> list[Generator]:
        """Those that are trained."""

    @abstractmethod
    def critics(self) -> list[Critic]:
        """Those there are."""

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        found = [
            f"{name}_weight must be >= 0 and finite, got {weight}"
            for name, weight in self.weights.items()
            if not 0 <= weight < math.inf
        ]
        for critic in self.critics():
            found += critic.problems()
        if not all(0 < rate < math.inf for rate in self.rates):
            found.append(f"lr and critic_lr must be > 0 and finite, got {self.rates}")
        if self.compiled == "all" and self.style_critic.penalty != "none":
            found.append(
                f"compile=all goes with penalty=none, got {self.style_critic.penalty}: torch.compile does not support double "
                "backward; set compile to generators"
            )
        return found

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit" and self.compiled != "none":
            critics = [critic.network for critic in self.critics()] if self.compiled == "all" else []
            compile_in_place([*self.generators(), *critics], self.trainer.strategy.root_device)

    def observe(self, x: Tensor, y: Tensor) -> None:
        """Show the generator the light of frames and the colours of paintings, ``(N, 3, H, W)``, those of all devices."""
        moments = torch.cat([full_precision(x).mean().view(1), style_moments(y)])
        if self.ranks > 1:
            torch.distributed.all_reduce(moments)
            moments /= self.ranks
        # At the start its weights may be those of another style's run.
        self.to_style.observe(moments, 1 / self.accumulate, anew=self.batches_seen == 0)

    def weigh(self, terms: dict[str, Callable[[], Tensor]]) -> dict[str, Tensor]:
        """The terms whose weight is not 0, times their weights; only these are computed."""
        values = {name: term() for name, term in terms.items() if self.weights[name]}
        if not values:
            raise ValueError(f"{type(self).__name__}: expected a weight above 0, got 0 for every term; give one a weight")
        self.log_terms(values)
        return {name: self.weights[name] * value for name, value in values.items()}

    def flicker(self, painted: Tensor, content: Clips) -> Tensor:
        """How much the paint changes from frame to frame; 0 for single frames, or where no flow is known."""
        if self.temporal == "unwarped":
            return unwarped(painted)
        if content.flow is None or content.visible is None:
            return painted.new_zeros(())
        return warped(painted, content.flow, content.visible)

    def patches(self, painting: Tensor, y: Tensor, slots: Slots) -> tuple[list[Tensor], ...]:
        """What palette and texture compare, for each slot: latest paintings, latest styles, directions; () for weights of 0."""
        if not (self.weights["palette"] or self.weights["texture"]):
            return ()
        filters = [random_filters(PROJECTIONS, PATCH, chance) for chance in slots.torch_generators("patches")]
        return self.recent_paintings(painting, slots), self.recent_style(y, slots), filters

    def random_gram(self, painting: Tensor, y: Tensor, slots: Slots) -> Tensor:
        """How far the latest paintings of each slot are from the style in Gram matrices of random features."""
        layers = random_layers(torch.Generator().manual_seed(self.seed))  # the same each time
        paintings = self.painting_grams(random_grams(painting, layers), slots)
        styles = self.style_grams(random_grams(y, layers), slots)
        return each(random_gram_distance, paintings, styles)

    def commutes(self, painting: Tensor, x: Tensor, slots: Slots) -> Tensor:
        """Painting a deformed picture against deforming the painted one."""
        chances = slots.torch_generators("motion")
        height, width = x.shape[-2:]
        flow = torch.cat([random_smooth_flow(1, height, width, chance, x.device) for chance in chances])
        moved = [deform(*one) for one in zip(x, flow, [SENSOR_NOISE] * len(x), chances, strict=True)]
        return known_motion(painting, self.to_style(torch.stack(moved)), flow, inside(flow))

    def with_flow(self, clips: Clips, domain: Literal["content", "style"]) -> Clips:
        """Clips with flow where it is wanted: theirs, or estimated."""
        aligned = self.style_clip_critic is not None and self.style_clip_critic.network.needs_flow
        wanted = aligned or (domain == "content" and self.weights["temporal"] > 0 and self.temporal == "warped")
        if not wanted or clips.flow is not None or clips.frames.shape[1] == 1:
            return clips
        if self.flow is None:
            self.say_once(f"The {domain} clips bring no flow and none is estimated: no term along the flow for them.")
            return clips
        self.say_once(f"The {domain} clips bring no flow: it is estimated by {type(self.flow).__name__}.")
        return Clips(clips.frames, *self.flow.estimate(clips.frames))

    def undecided(self) -> dict[str, float]:
        worth = {name: undecided(critic.adversarial) for name, critic in self.named_children() if isinstance(critic, Critic)}
        return {name: loss for name, loss in worth.items() if loss is not None}

    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        height, width = size
        problems = size_problems(self.to_style, size)
        for critic in self.critics():
            name, side, length = type(critic.network).__name__, critic.network.min_size, critic.network.min_frames
            if min(size) < side:
                problems.append(f"{name} needs sides of at least {side}, got data.size {height}x{width}")
            if frames < length:
                problems.append(f"{name} needs data.frames of at least {length}, got {frames}; or set temporal_critic to null")
        if any(self.weights[name] for name in LARGE_TERMS) and min(size) < PATCH << 2:
            names = ", ".join(f"{name}_weight" for name in LARGE_TERMS)
            problems.append(f"{names} need sides of at least {PATCH << 2}, got data.size {height}x{width}")
        return problems

    def stylizer(self) -> Generator:
        return self.style_average


def size_problems(network: Generator, size: tuple[int, int]) -> list[str]:
    """Why a generator cannot take frames of this height and width."""
    (height, width), multiple, least = size, network.size_multiple, network.min_size
    if height % multiple == 0 and width % multiple == 0 and min(size) >= least:
        return []
    needs = f"sides that are multiples of {multiple}, at least {least}"
    return [f"{type(network).__name__} needs {needs}, got data.size {height}x{width}"]


def together(generator: Generator, clips: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """One pass over clips ``(B, T, 3, H, W)`` and any number of pictures ``(N, 3, H, W)``."""
    frames = clips.flatten(0, 1)
    painted = generator(torch.cat([frames, pictures]))
    return painted[: len(frames)].unflatten(0, clips.shape[:2]), painted[len(frames) :]


def each(distance: Callable[..., Tensor], *sides: Iterable[Any]) -> Tensor:
    """Mean over slots of a distance that is none between single pictures."""
    return torch.stack([distance(*one) for one in zip(*sides, strict=True)]).mean()


def palette_distance(paintings: Tensor, styles: Tensor, filters: Tensor) -> Tensor:
    """The distance between patches, differences between colours counted more than light.

    Light would hide them: a few areas of a colour that paintings show only between others would hardly count.
    """
    return patch_distance(paintings, styles, unit(vivid(filters)))


def texture_distance(paintings: Tensor, styles: Tensor, filters: Tensor) -> Tensor:
    """The distance between patches without their colour."""
    return patch_distance(paintings, styles, colour_blind(filters), relative=True)

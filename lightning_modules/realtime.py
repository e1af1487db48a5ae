"""A small network for live video, trained directly or taught by a larger one.

One generator G and no way back: nothing is trained that is not shipped. A critic of frames and one of clips pull to the style
whether there is a teacher or not. A teacher T (Hinton et al., "Distilling the knowledge in a neural network", 2015) adds where
everything belongs, frame by frame and from frame to frame. x is content, y style; G minimises the weighted sum of

    image     adversarial loss of G(x), one frame of each clip
    clip      adversarial loss of G(x), whole clips
    identity  |G(y) - y|
    temporal  |warp(G(x[t]), flow) - G(x[t+1])| / std(G(x)) where visible
    known_motion  |warp(G(x), m) - G(warp(x, m) + noise)|, m made up
    palette, texture, random_gram, tone  as in ``cyclegan``
    output    |G(x) - T(x)|
    features  the same in the activations of the critic of frames
    motion    |(G(x[t+1]) - G(x[t])) - (T(x[t+1]) - T(x[t]))|

Without a teacher the last three have no weight; the start, identity and tone keep the content.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from datamodules.batch import ClipBatch
from lightning_modules.adversarial import (
    AdversarialMethod,
    Compile,
    Temporal,
    each,
    palette_distance,
    size_problems,
    texture_distance,
    together,
)
from lightning_modules.average import averaged, follow
from lightning_modules.base import StyleMethod, frozen
from lightning_modules.critics import Critic
from lightning_modules.discriminators.base import Discriminator, TemporalDiscriminator
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.flow import DISFlow, FlowEstimator
from lightning_modules.generators.base import Generator
from lightning_modules.generators.pruning import pruned
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.loading import load_method
from lightning_modules.losses.adversarial import AdversarialKind
from lightning_modules.losses.reconstruction import feature_distance, l1
from lightning_modules.losses.tone import tone_distance
from lightning_modules.ops.describe import Describable
from lightning_modules.ops.layout import channels_last

TAUGHT = ("output", "features", "motion")  # terms that need a teacher


class Realtime(AdversarialMethod):
    """Training of one small generator towards a style, with a teacher or without.

    A weight of 0 skips its term and the work for it.

    Args:
        generator: makes the generator.
        teacher: checkpoint of any method, whose averaged generator shows how; None does without.
        image_critic: makes the critic of single frames.
        temporal_critic: makes the critic of clips; None does without.
        steps: generator updates of the whole run, >= 1.
        adversarial: the adversarial objective.
        image_weight: of the adversarial loss on frames.
        clip_weight: of the adversarial loss on clips.
        identity_weight: of what should be left as it is.
        temporal_weight: of the difference from frame to frame.
        temporal: how frames are compared: along the flow, or (for comparison; it punishes motion) at the same pixel.
        known_motion_weight: of the difference under a motion that was made up, which needs no flow.
        palette_weight: of the distance between the distributions of patches.
        texture_weight: of the distance between the distributions of patches without their colour.
        random_gram_weight: of the distance between Gram matrices of random features.
        tone_weight: of the difference in where it is light and dark.
        output_weight: of the difference to the teacher's paintings.
        features_weight: of the same in the activations of the critic of frames.
        motion_weight: of the difference to how the teacher's paintings change from frame to frame.
        flow: makes the estimator for clips that bring no flow; None leaves the temporal term out for them.
        penalty: on the critics' slope: WGAN-GP's, or R1.
        penalty_weight: of the penalty; 10 for WGAN-GP.
        penalty_every: critic updates between two penalties, each counted as often, >= 1.
        pool: frames of the past the image critic is shown.
        clip_pool: clips of the past the temporal critic is shown.
        lr: learning rate of the generator.
        critic_lr: learning rate of the critics.
        betas: of Adam.
        constant: share of the run at the full learning rates; from there they fall linearly to 0.
        n_critic: critic updates for each generator update, each on a batch of its own, >= 1.
        accumulate: batches whose gradients are added up for one update, >= 1.
        clip: largest norm of the gradient of an update; 0 leaves it as it is.
        average_decay: of the moving average of the generator that is shown and shipped, in [0, 1).
        compile: translate the generator, or all networks, to machine code at the start of training.
        init_from: checkpoint whose weights to start from; what does not fit is reported and left as it was. Of a wider
            ``RealtimeGenerator`` the channels that weigh most are taken (pruning).
        seed: of the choices made in training (pools, penalties, projections).

    Raises:
        ValueError: options that do not go together, all of them in one message.
        CheckpointError: the teacher's checkpoint is missing, damaged, or of something else.
    """

    def __init__(
        self,
        generator: Callable[[], Generator] = RealtimeGenerator,
        teacher: str | None = None,
        image_critic: Callable[[], Discriminator] = lambda: PatchGAN(channels=24, layers=2, norm="spectral"),
        temporal_critic: Callable[[], TemporalDiscriminator] | None = lambda: TemporalPatchGAN(channels=8),
        steps: int = 500,
        adversarial: AdversarialKind = "hinge",
        image_weight: float = 0.4,
        clip_weight: float = 0.5,
        identity_weight: float = 2.0,
        temporal_weight: float = 150.0,
        temporal: Temporal = "warped",
        known_motion_weight: float = 0.0,
        palette_weight: float = 900.0,
        texture_weight: float = 240.0,
        random_gram_weight: float = 900.0,
        tone_weight: float = 20.0,
        output_weight: float = 0.0,
        features_weight: float = 0.0,
        motion_weight: float = 0.0,
        flow: Callable[[], FlowEstimator] | None = DISFlow,
        penalty: Literal["none", "gradient", "r1"] = "none",
        penalty_weight: float = 10.0,
        penalty_every: int = 1,
        pool: int = 50,
        clip_pool: int = 20,
        lr: float = 3e-3,
        critic_lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.99),
        constant: float = 0.2,
        n_critic: int = 1,
        accumulate: int = 1,
        clip: float = 0.0,
        average_decay: float = 0.995,
        compile: Compile = "none",
        init_from: str | None = None,
        seed: int = 0,
    ) -> None:
        weights = {
            "image": image_weight, "clip": clip_weight if temporal_critic else 0.0, "identity": identity_weight,
            "temporal": temporal_weight, "known_motion": known_motion_weight, "palette": palette_weight,
            "texture": texture_weight, "random_gram": random_gram_weight, "tone": tone_weight, "output": output_weight,
            "features": features_weight, "motion": motion_weight,
        }  # fmt: skip
        super().__init__(
            weights, (lr, critic_lr), betas, temporal, compile, steps=steps, n_critic=n_critic, accumulate=accumulate,
            clip=clip, constant=constant, average_decay=average_decay, seed=seed,
        )  # fmt: skip
        self.to_style = generator()
        self.style_average = averaged(self.to_style)
        how, clips = (adversarial, penalty, penalty_weight, penalty_every), temporal_critic if clip_weight else None
        self.style_critic = Critic(image_critic(), pool, *how)
        self.style_clip_critic = Critic(clips(), clip_pool, *how) if clips else None
        self.flow, self.teacher = flow and flow(), teacher
        self.refuse(self.problems())
        # In a list, so that it is no part of the checkpoint; loaded here, so that a wrong path is known before any work.
        self.teachers: list[StyleMethod] = [load_method(teacher)] if teacher else []
        channels_last(self)
        self.start_from(init_from)

    def problems(self) -> list[str]:
        found = super().problems()
        taught = ", ".join(f"{name}_weight" for name in TAUGHT)
        if self.teacher is None and any(self.weights[name] for name in TAUGHT):
            found.append(f"{taught} need a teacher; give its checkpoint, or set them to 0")
        if self.teacher is not None and not any(self.weights[name] for name in TAUGHT):
            found.append(f"a teacher needs a weight of what it teaches; set one of {taught}, or leave it out")
        return found

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """One update of the critics and, at its turn, of the generator."""
        content, style = self.with_flow(batch.content, "content"), self.with_flow(batch.style, "style")
        slots = self.slots(len(content.frames))
        if slots.part == 0:
            for critic in self.critics():
                critic.begin_update()
        shown = slots.update % content.frames.shape[1]  # the frame of each clip judged as a picture
        x, y = content.frames[:, shown], style.frames[:, shown]
        keep = len(x) if self.generators_turn and self.weights["identity"] else 0
        self.observe(x, y)

        # Paint once; everything below looks at these clips.
        with torch.set_grad_enabled(self.generators_turn):
            painted, y_kept = together(self.to_style, content.frames, y[:keep])
            painting = painted[:, shown]

        # Generator: deceive the critics, move the paint with what it is painted on, paint like the teacher.
        if self.generators_turn:
            patches, taught = self.patches(painting, y, slots), self.taught(content.frames)
            with frozen(self.critics()):
                terms = self.weigh(
                    {
                        "image": lambda: self.style_critic.deceived(painting),
                        "clip": lambda: self.deceived_by_clips(painted, content.flow),
                        "identity": lambda: l1(y_kept, y),
                        "temporal": lambda: self.flicker(painted, content),
                        "known_motion": lambda: self.commutes(painting, x, slots),
                        "palette": lambda: each(palette_distance, *patches),
                        "texture": lambda: each(texture_distance, *patches),
                        "random_gram": lambda: self.random_gram(painting, y, slots),
                        "tone": lambda: tone_distance(painted, content.frames),
                        "output": lambda: l1(painted, taught),
                        "features": lambda: feature_distance(self.seen(painting), self.seen(taught[:, shown])),
                        "motion": lambda: l1(painted.diff(dim=1), taught.diff(dim=1)),
                    }
                )
            self.update("generators", terms)

        # Critics: tell real from painted, in single frames and in clips.
        losses = {"style_critic": self.style_critic.loss(painting, y, slots, "style")}
        if self.style_clip_critic:
            clips = (painted, style.frames, slots)
            losses["style_clip_critic"] = self.style_clip_critic.loss(*clips, "style clips", content.flow, style.flow)
        penalties = {f"{name}_penalty": penalty for name, (_, penalty) in losses.items() if penalty is not None}
        terms = {name: loss for name, (loss, _) in losses.items()} | penalties
        self.log_terms(terms)
        self.update("critics", terms)

    def adapted(self, state: dict[str, Any]) -> dict[str, Any]:
        """A wider network's weights are pruned to the channels that weigh most."""
        if not isinstance(self.to_style, RealtimeGenerator) or "to_style.deep.0.across.weight" not in state:
            return state  # other networks have a stem, too
        wide = len(state["to_style.stem.weight"])
        if wide <= self.to_style.width:
            return state
        print(f"pruned from a width of {wide} to {self.to_style.width}")
        for prefix in ("to_style.", "style_average."):
            theirs = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            state = state | {prefix + name: value for name, value in pruned(theirs, self.to_style.width).items()}
        return state

    def taught(self, frames: Tensor) -> Tensor:
        """What the teacher makes of frames ``(B, T, 3, H, W)``; as they are where there is none."""
        for teacher in self.teachers:
            return teacher.to(frames.device).stylize(frames)
        return frames

    def seen(self, painting: Tensor) -> list[Tensor]:
        """The image critic's activations, its logits left out."""
        return self.style_critic.network.features(painting)[:-1]

    def deceived_by_clips(self, painted: Tensor, flow: Tensor | None) -> Tensor:
        """Adversarial loss of the generator's clips."""
        return painted.new_zeros(()) if self.style_clip_critic is None else self.style_clip_critic.deceived(painted, flow)

    def generators(self) -> list[Generator]:
        return [self.to_style]

    def critics(self) -> list[Critic]:
        return [critic for critic in (self.style_critic, self.style_clip_critic) if critic is not None]

    def clip_problems(self, size: tuple[int, int], frames: int) -> list[str]:
        taught = (problem for teacher in self.teachers for problem in size_problems(teacher.stylizer(), size))
        return super().clip_problems(size, frames) + [f"the teacher's {problem}" for problem in taught]

    def networks(self) -> dict[str, Describable | None]:
        clip = self.style_clip_critic
        return {
            "generator": self.to_style,
            "image_critic": self.style_critic.network,
            "temporal_critic": None if clip is None else clip.network,
            "flow": self.flow,
        }

    def parameters_of(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        critics = [p for critic in self.critics() for p in critic.parameters()]
        return {"generators": (list(self.to_style.parameters()), self.rates[0]), "critics": (critics, self.rates[1])}

    def average(self) -> None:
        follow(self.style_average, self.to_style, self.average_decay, self.generator_step)

    def preview(self, content: Tensor) -> dict[str, Tensor]:
        taught = {"teacher": self.taught(content)} if self.teachers else {}
        return {"stylized": self.stylize(content), **taught}

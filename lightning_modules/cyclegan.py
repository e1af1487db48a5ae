"""CycleGAN for video: two generators that undo one another, critics of frames and of clips, and paint that moves with things.

Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV 2017, with a 3-D convolution
critic of clips and a temporal term. x is content, y style, G paints, F undoes it. The generators minimise the weighted sum of

    image     adversarial loss of G(x) and F(y), one frame of each clip
    clip      adversarial loss of G(x) and F(y), whole clips
    cycle     |F(G(x)) - x| + |G(F(y)) - y|
    identity  |G(y) - y| + |F(x) - x|
    temporal  |warp(G(x[t]), flow) - G(x[t+1])| / std(G(x)) where visible
    palette   W1(patches of G(x), patches of y), sliced, of the last few pictures: mostly their colours
    texture   the same without the patches' colours, relative to the spread of y
    random_gram  |Gram of G(x) - Gram of y| in random features
    tone      1 - correlation of coarse light and shade of G(x) and x
    and, off by default: known_motion, total_variation, feature_matching, content, gram
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from datamodules.batch import ClipBatch
from lightning_modules.adversarial import (
    AdversarialMethod,
    Compile,
    Temporal,
    each,
    palette_distance,
    texture_distance,
    together,
)
from lightning_modules.average import averaged, follow
from lightning_modules.base import frozen
from lightning_modules.critics import Critic
from lightning_modules.discriminators.base import Discriminator, TemporalDiscriminator
from lightning_modules.discriminators.patchgan import PatchGAN
from lightning_modules.discriminators.temporal import TemporalPatchGAN
from lightning_modules.flow import DISFlow, FlowEstimator
from lightning_modules.generators.base import Generator
from lightning_modules.generators.realtime import RealtimeGenerator
from lightning_modules.losses.adversarial import AdversarialKind
from lightning_modules.losses.perceptual import FeatureExtractor, content_loss, gram_style_loss
from lightning_modules.losses.reconstruction import feature_matching, l1
from lightning_modules.losses.tone import tone_distance
from lightning_modules.losses.total_variation import total_variation
from lightning_modules.ops.describe import Describable
from lightning_modules.ops.layout import channels_last


class CycleGAN(AdversarialMethod):
    """Unpaired training of a generator towards a style and of one back.

    A weight of 0 skips its term and the work for it.

    Args:
        generator: makes the two generators.
        image_critic: makes the two critics of single frames.
        temporal_critic: makes the two critics of clips; None does without.
        steps: generator updates of the whole run, >= 1.
        adversarial: the adversarial objective.
        image_weight: of the adversarial loss on frames.
        clip_weight: of the adversarial loss on clips.
        cycle_weight: of the cycle; 10 in the paper.
        identity_weight: of what should be left as it is; 5 in the paper.
        temporal_weight: of the difference from frame to frame.
        temporal: how frames are compared: along the flow, or (for comparison; it punishes motion) at the same pixel.
        palette_weight: of the distance between the distributions of patches.
        texture_weight: of the distance between the distributions of patches without their colour.
        random_gram_weight: of the distance between Gram matrices of random features.
        tone_weight: of the difference in where it is light and dark, which distances to the style do not notice.
        known_motion_weight: of the difference under a motion that was made up, which needs no flow.
        total_variation_weight: of the total variation of the painted frames.
        feature_matching_weight: of the difference of the image critic's mean activations.
        content_weight: of the difference of deep features to the content; needs ``extractor``.
        gram_weight: of the difference of Gram matrices to the style; needs ``extractor``.
        extractor: makes the pretrained network of the last two.
        flow: makes the estimator for clips that bring no flow; None leaves the temporal term out for them.
        penalty: on the critics' slope: WGAN-GP's, or R1.
        penalty_weight: of the penalty; 10 for WGAN-GP.
        penalty_every: critic updates between two penalties, each counted as often, >= 1.
        pool: frames of the past each image critic is shown; 50 in the paper.
        clip_pool: clips of the past each temporal critic is shown.
        lr: learning rate of the generators.
        critic_lr: learning rate of the critics (two time scales, Heusel et al. 2017).
        betas: of Adam.
        constant: share of the run at the full learning rates; from there they fall linearly to 0.
        n_critic: critic updates for each generator update, each on a batch of its own, >= 1.
        accumulate: batches whose gradients are added up for one update, >= 1.
        clip: largest norm of the gradient of an update; 0 leaves it as it is.
        average_decay: of the moving average of the generators that is shown and shipped, in [0, 1).
        compile: translate the generators, or all networks, to machine code at the start of training; the critics not with a
            penalty, which differentiates them twice.
        init_from: checkpoint whose weights to start from; what does not fit is reported and left as it was.
        seed: of the choices made in training (pools, penalties, projections).

    Raises:
        ValueError: options that do not go together, all of them in one message.
    """

    def __init__(
        self,
        generator: Callable[[], Generator] = lambda: RealtimeGenerator(adaptive=True),
        image_critic: Callable[[], Discriminator] = lambda: PatchGAN(channels=24, layers=2, norm="spectral"),
        temporal_critic: Callable[[], TemporalDiscriminator] | None = lambda: TemporalPatchGAN(channels=8),
        steps: int = 180,
        adversarial: AdversarialKind = "hinge",
        image_weight: float = 0.4,
        clip_weight: float = 0.5,
        cycle_weight: float = 8.0,
        identity_weight: float = 2.0,
        temporal_weight: float = 150.0,
        temporal: Temporal = "warped",
        palette_weight: float = 900.0,
        texture_weight: float = 240.0,
        random_gram_weight: float = 900.0,
        tone_weight: float = 20.0,
        known_motion_weight: float = 0.0,
        total_variation_weight: float = 0.0,
        feature_matching_weight: float = 0.0,
        content_weight: float = 0.0,
        gram_weight: float = 0.0,
        extractor: Callable[[], FeatureExtractor] | None = None,
        flow: Callable[[], FlowEstimator] | None = DISFlow,
        penalty: Literal["none", "gradient", "r1"] = "none",
        penalty_weight: float = 10.0,
        penalty_every: int = 1,
        pool: int = 50,
        clip_pool: int = 20,
        lr: float = 2.4e-3,
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
            "image": image_weight, "clip": clip_weight if temporal_critic else 0.0, "cycle": cycle_weight,
            "identity": identity_weight, "temporal": temporal_weight, "palette": palette_weight, "texture": texture_weight,
            "random_gram": random_gram_weight, "tone": tone_weight, "known_motion": known_motion_weight, "gram": gram_weight,
            "total_variation": total_variation_weight, "feature_matching": feature_matching_weight, "content": content_weight,
        }  # fmt: skip
        super().__init__(
            weights, (lr, critic_lr), betas, temporal, compile, steps=steps, n_critic=n_critic, accumulate=accumulate,
            clip=clip, constant=constant, average_decay=average_decay, seed=seed,
        )  # fmt: skip
        self.to_style, self.to_content = generator(), generator()
        self.style_average, self.content_average = averaged(self.to_style), averaged(self.to_content)
        how, clips = (adversarial, penalty, penalty_weight, penalty_every), temporal_critic if clip_weight else None
        self.style_critic, self.content_critic = (Critic(image_critic(), pool, *how) for _ in "yx")
        self.style_clip_critic, self.content_clip_critic = (Critic(clips(), clip_pool, *how) if clips else None for _ in "yx")
        self.extractor, self.flow = extractor and extractor(), flow and flow()
        self.refuse(self.problems())
        channels_last(self)
        self.start_from(init_from)

    def problems(self) -> list[str]:
        found = super().problems()
        if self.extractor is None and (self.weights["content"] or self.weights["gram"]):
            found.append("content_weight and gram_weight need an extractor; set extractor or set them to 0")
        return found

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """One update of the critics and, at its turn, of the generators."""
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
            unpainted, x_kept = together(self.to_content, style.frames, x[:keep])
            painting, photograph = painted[:, shown], unpainted[:, shown]

        # Generators: deceive the critics, keep the content, move the paint with what it is painted on.
        if self.generators_turn:
            patches = self.patches(painting, y, slots)
            with frozen(self.critics()):
                terms = self.weigh(
                    {
                        "image": lambda: self.style_critic.deceived(painting) + self.content_critic.deceived(photograph),
                        "clip": lambda: self.deceived_by_clips(painted, content.flow, unpainted, style.flow),
                        "cycle": lambda: l1(self.to_content(painting), x) + l1(self.to_style(photograph), y),
                        "identity": lambda: l1(y_kept, y) + l1(x_kept, x),
                        "temporal": lambda: self.flicker(painted, content),
                        "palette": lambda: each(palette_distance, *patches),
                        "texture": lambda: each(texture_distance, *patches),
                        "random_gram": lambda: self.random_gram(painting, y, slots),
                        "tone": lambda: tone_distance(painted, content.frames),
                        "known_motion": lambda: self.commutes(painting, x, slots),
                        "total_variation": lambda: total_variation(painting),
                        "feature_matching": lambda: self.matches(painting, y),
                        "content": lambda: content_loss(self.features(painting), self.features(x)),
                        "gram": lambda: each(gram_style_loss, self.features_of_each(painting), self.features_of_each(y)),
                    }
                )
            self.update("generators", terms)

        # Critics: tell real from painted, in single frames and in clips.
        losses = {
            "style_critic": self.style_critic.loss(painting, y, slots, "style"),
            "content_critic": self.content_critic.loss(photograph, x, slots, "content"),
        }
        if self.style_clip_critic and self.content_clip_critic:
            a, b = (painted, style.frames, slots), (unpainted, content.frames, slots)
            losses["style_clip_critic"] = self.style_clip_critic.loss(*a, "style clips", content.flow, style.flow)
            losses["content_clip_critic"] = self.content_clip_critic.loss(*b, "content clips", style.flow, content.flow)
        penalties = {f"{name}_penalty": penalty for name, (_, penalty) in losses.items() if penalty is not None}
        terms = {name: loss for name, (loss, _) in losses.items()} | penalties
        self.log_terms(terms)
        self.update("critics", terms)

    def deceived_by_clips(self, painted: Tensor, flow: Tensor | None, unpainted: Tensor, back: Tensor | None) -> Tensor:
        """Adversarial loss of both generators' clips."""
        pairs = ((self.style_clip_critic, painted, flow), (self.content_clip_critic, unpainted, back))
        return torch.stack([critic.deceived(clips, moved) for critic, clips, moved in pairs if critic]).sum()

    def matches(self, painting: Tensor, y: Tensor) -> Tensor:
        """Difference of the image critic's mean activations."""
        network = self.style_critic.network
        return feature_matching(network.features(painting)[:-1], network.features(y)[:-1])

    def features(self, frames: Tensor) -> list[Tensor]:
        """Deep features of the extractor."""
        if self.extractor is None:
            raise RuntimeError("features: no extractor")
        activations: list[Tensor] = self.extractor(frames)
        return activations

    def features_of_each(self, pictures: Tensor) -> list[list[Tensor]]:
        """The same for one picture after the other."""
        return [[layer[i : i + 1] for layer in layers] for layers in [self.features(pictures)] for i in range(len(pictures))]

    def generators(self) -> list[Generator]:
        return [self.to_style, self.to_content]

    def critics(self) -> list[Critic]:
        every = (self.style_critic, self.content_critic, self.style_clip_critic, self.content_clip_critic)
        return [critic for critic in every if critic is not None]

    def networks(self) -> dict[str, Describable | None]:
        clip = self.style_clip_critic
        return {
            "generator": self.to_style,
            "image_critic": self.style_critic.network,
            "temporal_critic": None if clip is None else clip.network,
            "extractor": self.extractor,
            "flow": self.flow,
        }

    def parameters_of(self) -> dict[str, tuple[list[nn.Parameter], float]]:
        generators = [p for network in self.generators() for p in network.parameters()]
        critics = [p for critic in self.critics() for p in critic.parameters()]
        return {"generators": (generators, self.rates[0]), "critics": (critics, self.rates[1])}

    def average(self) -> None:
        follow(self.style_average, self.to_style, self.average_decay, self.generator_step)
        follow(self.content_average, self.to_content, self.average_decay, self.generator_step)

    @torch.no_grad()
    def unstylizer(self) -> Generator:
        return self.content_average

    def preview(self, content: Tensor) -> dict[str, Tensor]:
        stylized = self.stylize(content)
        return {"stylized": stylized, "cycled": self.content_average(stylized)}

"""A critic in training: its network, its memory of what was painted, its objective and its penalty."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_modules.discriminators.base import Discriminator, TemporalDiscriminator
from lightning_modules.discriminators.norms import iterate_spectral_norm, spectral_norms
from lightning_modules.losses.adversarial import AdversarialKind, critic_loss, generator_loss
from lightning_modules.losses.gradient_penalty import gradient_penalty, r1_penalty
from lightning_modules.pool import Pool
from lightning_modules.slots import Slots

Penalty = Literal["none", "gradient", "r1"]


class Critic(nn.Module):
    """Judges frames ``(B, 3, H, W)`` or clips ``(B, T, 3, H, W)``, as its network does.

    Args:
        network: the critic proper.
        pool: how many painted pictures or clips it remembers; 0 shows it the latest only.
        adversarial: the objective.
        penalty: on the slope: WGAN-GP's between real and painted, or R1 at real.
        weight: of the penalty.
        every: updates between two penalties; each counts ``every`` times (lazy regularisation, Karras et al. 2020).
    """

    def __init__(
        self,
        network: Discriminator | TemporalDiscriminator,
        pool: int,
        adversarial: AdversarialKind,
        penalty: Penalty,
        weight: float,
        every: int,
    ) -> None:
        super().__init__()
        self.network, self.pool = network, Pool(pool)
        self.adversarial, self.penalty, self.weight, self.every = adversarial, penalty, weight, every

    def train(self, mode: bool = True) -> "Critic":
        """As its parent, but the spectral norm's iteration waits for ``begin_update``."""
        super().train(mode)
        for norm in spectral_norms(self.network):
            norm.eval()
        return self

    def begin_update(self) -> None:
        """One step of the spectral norm's power iteration.

        Once an update (Miyato et al. 2018, algorithm 1), not with every forward pass: these are more when gradients
        are added up over several batches, which must not make a difference.
        """
        iterate_spectral_norm(self.network)

    def problems(self) -> list[str]:
        """What does not go together."""
        found, name = [], type(self.network).__name__
        if self.penalty != "none" and self.network.norm == "batch":
            found.append(f"{name} with norm=batch couples clips, which a penalty must not; use norm layer or none")
        if self.adversarial == "wasserstein" and self.penalty != "gradient":
            found.append("adversarial=wasserstein needs penalty=gradient, or its critic is not bounded")
        if self.network.needs_flow and self.pool.size:
            found.append(f"{name} with aligned=True sees flow, which its memory does not keep; set clip_pool to 0")
        if self.every < 1 or not 0 <= self.weight < math.inf:
            found.append(f"penalty_every must be >= 1 and penalty_weight >= 0 and finite, got {self.every} and {self.weight}")
        return found

    def score(self, frames: Tensor, flow: Tensor | None = None) -> Tensor:
        """Logits, larger for real; ``flow`` is passed on to a network that needs it."""
        logits: Tensor = self.network(frames, flow) if self.network.needs_flow else self.network(frames)
        return logits

    def deceived(self, painted: Tensor, flow: Tensor | None = None) -> Tensor:
        """What a generator minimises; a scalar."""
        return generator_loss(self.adversarial, self.score(painted, flow))

    def loss(
        self,
        painted: Tensor,
        real: Tensor,
        slots: Slots,
        stream: str = "critic",
        painted_flow: Tensor | None = None,
        real_flow: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """What the critic minimises.

        Args:
            painted: frames or clips in [-1, 1]; no gradient flows into them.
            real: as many of the other domain.
            slots: of both; their update says when the penalty is due.
            stream: names this critic's chance, that of its memory and its penalty.
            painted_flow: of clips, where the network needs it.
            real_flow: the same for the real clips.

        Returns:
            The adversarial loss, and the weighted penalty to add to it where one is due; scalars.
        """
        painted = self.pool(painted, slots, f"{stream} pool")
        painted_logits, real_logits = self._scores(painted, real, painted_flow, real_flow)
        loss = critic_loss(self.adversarial, real_logits, painted_logits)
        if self.penalty == "none" or self.weight == 0 or slots.update % self.every:
            return loss, None
        epsilon = torch.tensor([draws.random() for draws in slots.draws(f"{stream} penalty")], dtype=torch.float64)
        return loss, self.weight * self.every * self._penalty(painted, real, epsilon, real_flow)

    def _scores(
        self, painted: Tensor, real: Tensor, painted_flow: Tensor | None, real_flow: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.network.norm == "batch":  # one pass over both would mix their statistics
            return self.score(painted, painted_flow), self.score(real, real_flow)
        flow = None if painted_flow is None or real_flow is None else torch.cat([painted_flow, real_flow])
        scores = self.score(torch.cat([painted, real]), flow)
        return scores[: len(painted)], scores[len(painted) :]

    def _penalty(self, painted: Tensor, real: Tensor, epsilon: Tensor, real_flow: Tensor | None) -> Tensor:
        def critic(clips: Tensor) -> Tensor:
            return self.score(clips, real_flow)

        if self.penalty == "r1":
            return r1_penalty(critic, real)
        return gradient_penalty(critic, real, painted, epsilon.to(real))

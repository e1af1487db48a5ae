"""Five adversarial objectives on logits, for critics of pictures and of clips alike.

Every function takes maps of logits ``(B, ...)``, larger for real, and averages over a clip's patches before averaging over
clips, in float32.
"""

import math
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from lightning_modules.ops.statistics import clip_mean, full_precision

AdversarialKind = Literal["minimax", "nonsaturating", "lsgan", "hinge", "wasserstein"]


def generator_loss(kind: AdversarialKind, fake_logits: Tensor) -> Tensor:
    """What the generator minimises.

    minimax and nonsaturating: Goodfellow et al. 2014; lsgan: Mao et al. 2017 (targets 0 and 1); hinge: Lim and Ye 2017;
    wasserstein: Arjovsky et al. 2017.

    Args:
        kind: the objective.
        fake_logits: ``(B, ...)``, the critic on generated frames or clips.

    Returns:
        A scalar.

    Raises:
        ValueError: an unknown kind.
    """
    fake = full_precision(fake_logits)
    match kind:
        case "minimax":
            return -clip_mean(F.softplus(fake))  # log(1 - D(G(x)))
        case "nonsaturating":
            return clip_mean(F.softplus(-fake))  # -log D(G(x))
        case "lsgan":
            return clip_mean((fake - 1).square())  # (D(G(x)) - 1)^2
        case "hinge" | "wasserstein":
            return -clip_mean(fake)  # -D(G(x))
    raise _unknown(kind)


def critic_loss(kind: AdversarialKind, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """What the critic minimises: the sum of a term on real and a term on generated data.

    CycleGAN halves this sum to slow its critics down relative to the generators; that factor is a choice of the method
    and is left to the caller.

    Args:
        kind: the objective.
        real_logits: ``(B, ...)``, the critic on real frames or clips.
        fake_logits: ``(B', ...)``, the critic on generated ones; the two need not be equally many.

    Returns:
        A scalar.

    Raises:
        ValueError: an unknown kind.
    """
    real, fake = full_precision(real_logits), full_precision(fake_logits)
    match kind:
        case "minimax" | "nonsaturating":
            return clip_mean(F.softplus(-real)) + clip_mean(F.softplus(fake))  # -log D(y) - log(1 - D(G(x)))
        case "lsgan":
            return clip_mean((real - 1).square()) + clip_mean(fake.square())  # (D(y) - 1)^2 + D(G(x))^2
        case "hinge":
            return clip_mean(F.relu(1 - real)) + clip_mean(F.relu(1 + fake))  # max(0, 1 - D(y)) + max(0, 1 + D(G(x)))
        case "wasserstein":
            return clip_mean(fake) - clip_mean(real)  # D(G(x)) - D(y)
    raise _unknown(kind)


def undecided(kind: AdversarialKind) -> float | None:
    """``critic_loss`` of a critic that cannot tell real from generated data, and says so; the less, the surer it is.

    Returns:
        None for wasserstein, whose critic has no bound to come near to.

    Raises:
        ValueError: an unknown kind.
    """
    match kind:
        case "minimax" | "nonsaturating":
            return 2 * math.log(2)  # D = 1/2
        case "lsgan":
            return 0.5  # D = 1/2
        case "hinge":
            return 2.0  # D = 0
        case "wasserstein":
            return None
    raise _unknown(kind)


def _unknown(kind: object) -> ValueError:
    return ValueError(f"adversarial loss: expected one of {', '.join(get_args(AdversarialKind))}, got {kind!r}; choose one")

"""Penalties on the slope of a critic with respect to what it looks at.

Both differentiate twice, so: float32 whatever autocast is around them, ``create_graph=True``, and one ordinary backward over
critic loss plus penalty. A critic returns a map of logits; the scalar whose slope counts is the *mean* over a clip's
patches, the same number the adversarial loss trains on. The usual sum over patches would allow a slope smaller by the number
of patches (900 for CycleGAN's critic at 256x256), and the critic's signal would vanish beside the cycle loss.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_modules.ops.statistics import full_precision

Critic = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    """WGAN-GP, Gulrajani et al. 2017, equation 3, without its weight (10 there).

    Args:
        critic: maps clips ``(B, ...)`` to logits, B times any number of patches, clips first.
        real: ``(B, ...)`` in [-1, 1].
        fake: the same shape; no gradient flows into it.
        epsilon: ``(B,)`` in [0, 1], one number for all frames of a clip: each frame its own would be an unreal flicker.

    Returns:
        The mean over clips of (|grad D(x)| - 1)^2, x = epsilon real + (1 - epsilon) fake; a scalar.

    Raises:
        ValueError: the shapes do not agree.
    """
    if real.shape != fake.shape or epsilon.shape != real.shape[:1]:
        raise ValueError(
            f"gradient_penalty: expected real and fake of one shape and one epsilon for each clip, got {tuple(real.shape)}, "
            f"{tuple(fake.shape)} and {tuple(epsilon.shape)}; pass equally many real and generated clips"
        )
    share = full_precision(epsilon).to(real.device).view(-1, *[1] * (real.dim() - 1))
    between = share * full_precision(real.detach()) + (1 - share) * full_precision(fake.detach())
    slope = _slope(critic, between)
    norm: Tensor = torch.linalg.vector_norm(slope, dim=1)
    return (norm - 1).square().mean()  # E[(|grad D(x)| - 1)^2]


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """R1, Mescheder et al. 2018: half the squared slope at real data, without its weight gamma.

    Args:
        critic: maps clips ``(B, ...)`` to logits, B times any number of patches, clips first.
        real: ``(B, ...)`` in [-1, 1].

    Returns:
        0.5 E[|grad D(y)|^2], a scalar.
    """
    slope = _slope(critic, full_precision(real.detach()))
    return 0.5 * slope.square().sum(1).mean()  # 1/2 E[|grad D(y)|^2]


def _slope(critic: Critic, clips: Tensor) -> Tensor:
    """The gradient ``(B, values in a clip)`` of each clip's mean logit, itself differentiable."""
    clips = clips.clone().requires_grad_()
    with torch.autocast(clips.device.type, enabled=False), torch.enable_grad():
        score = critic(clips).reshape(len(clips), -1).mean(1)
        # A clip's score depends on that clip alone, so the gradient of the sum holds each clip's own gradient.
        (slope,) = torch.autograd.grad(score.sum(), clips, create_graph=True)
    return slope.flatten(1)

"""What every critic is: pictures or clips in, a map of scores out (one for each patch)."""

from abc import ABC, abstractmethod

from torch import Tensor

from lightning_modules.ops.describe import Describable


class Discriminator(Describable, ABC):
    """Judges single frames. ``forward`` takes ``(N, 3, H, W)`` in [-1, 1] and returns logits ``(N, 1, h, w)``."""

    norm: str
    min_size: int = 1
    min_frames: int = 1
    needs_flow: bool = False

    @abstractmethod
    def features(self, frames: Tensor) -> list[Tensor]:
        """Activations of every layer, the logits last, for feature matching."""

    def forward(self, frames: Tensor) -> Tensor:
        """Logits ``(N, 1, h, w)``, larger for real."""
        return self.features(frames)[-1]


class TemporalDiscriminator(Describable, ABC):
    """Judges clips. ``forward`` takes ``(B, T, 3, H, W)`` in [-1, 1] and returns logits ``(B, 1, t, h, w)``."""

    norm: str
    min_size: int = 1
    min_frames: int = 1
    needs_flow: bool = False

    @abstractmethod
    def features(self, clips: Tensor, flow: Tensor | None = None) -> list[Tensor]:
        """Activations of every layer, the logits last, for feature matching."""

    def forward(self, clips: Tensor, flow: Tensor | None = None) -> Tensor:
        """Logits ``(B, 1, t, h, w)``, larger for real. ``flow`` ``(B, T - 1, 2, H, W)`` where ``needs_flow``."""
        return self.features(clips, flow)[-1]

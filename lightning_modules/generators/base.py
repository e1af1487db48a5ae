"""What every generator is: frames in, frames of the same size out."""

from abc import ABC, abstractmethod

from torch import Tensor

from lightning_modules.ops.describe import Describable


class Generator(Describable, ABC):
    """Repaints frames, one after the other, the same way for one frame and for many.

    Subclasses implement ``paint``. ``size_multiple`` is what height and width must be multiples of, ``min_size`` the
    smallest side the network can take. ``reach`` is how many pixels away, up, down or sideways, what a painted pixel depends on
    lies at most, apart from ``overview``; None where it is the whole frame, as with norms over it. With a reach a frame can be
    painted in tiles.
    """

    size_multiple: int = 1
    min_size: int = 1
    reach: int | None = None

    def forward(self, frames: Tensor) -> Tensor:
        """Repaint frames.

        Args:
            frames: ``(..., 3, H, W)`` in [-1, 1]; H and W multiples of ``size_multiple`` and at least ``min_size``.

        Returns:
            The same shape, in [-1, 1].

        Raises:
            ValueError: the size does not fit the network.
        """
        height, width = frames.shape[-2:]
        if height % self.size_multiple or width % self.size_multiple or min(height, width) < self.min_size:
            raise ValueError(
                f"{type(self).__name__}: expected height and width as multiples of {self.size_multiple} and at least "
                f"{self.min_size}, got {height}x{width}; change the size or pad the frames"
            )
        return self.paint(frames.reshape(-1, *frames.shape[-3:])).reshape(frames.shape)

    @abstractmethod
    def paint(self, frames: Tensor) -> Tensor:
        """Repaint ``(N, 3, H, W)`` in [-1, 1] to the same shape."""

    def overview(self, frames: Tensor) -> Tensor:
        """What there is to know of whole frames ``(N, 3, H, W)`` to paint a part of them: here nothing."""
        return frames.new_empty(0)

    def paint_part(self, part: Tensor, overview: Tensor) -> Tensor:
        """Repaint a part ``(N, 3, h, w)`` of frames with this overview, as ``paint`` would where the whole reach is in it."""
        return self.paint(part)

    def observe(self, moments: Tensor, share: float = 1.0, anew: bool = False) -> None:
        """Take note of the light of content and the colours of paintings: here nobody does.

        Args:
            moments: ``(9,)``: the mean of frames, then the ``style_moments`` of paintings.
            share: of a batch that these are; batches count alike.
            anew: forget those there were.
        """

"""How Lightning's trainer reads and writes checkpoints here: whole, with a digest, and nothing in them executed."""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO

from lightning_modules.checkpoint_file import read_checkpoint, remove_checkpoint, write_checkpoint


class VerifiedCheckpoints(CheckpointIO):
    """``trainer.save_checkpoint`` and ``trainer.fit(ckpt_path=...)`` by ``write_checkpoint`` and ``read_checkpoint``.

    Lightning's own way goes through the folder of temporary files, from where a file on another file system is not renamed
    but copied, and a kill leaves half of it. Lightning calls the first rank alone to write, all ranks to read.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a file of this machine; there are no ``storage_options``."""
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a file, to the CPU if nothing else is said; with ``weights_only`` whatever is asked for."""
        return read_checkpoint(path, "cpu" if map_location is None else map_location)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a file and its digest."""
        remove_checkpoint(Path(path))

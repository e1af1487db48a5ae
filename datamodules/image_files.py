"""Image files of any kind to RGB."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from datamodules.errors import DataError


def read_image(path: Path, least: int | None = None) -> NDArray[np.uint8]:
    """Read an image upright, whatever its pixel format; what is transparent becomes white.

    Args:
        path: of the file.
        least: pixels that the shorter side needs; a JPEG several times larger is decoded at a fraction of its size.

    Returns:
        RGB ``(h, w, 3)``.

    Raises:
        DataError: the file is no image, is damaged, or has a pixel format without a defined colour.
    """
    try:
        with Image.open(path) as image:
            if least is not None:
                image.draft(None, (least, least))
            return np.array(_rgb(ImageOps.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0].replace(repr(str(path)), "it") if str(error) else type(error).__name__
        raise DataError(path, "an image", reason, "repair or remove it") from error


def refuse_damaged(paths: Iterable[Path], folder: Path) -> None:
    """Decode every image once.

    Raises:
        DataError: some cannot be decoded; all of them are named.
    """
    with ThreadPoolExecutor() as pool:
        reasons = [reason for reason in pool.map(lambda path: _damage(path, path.stat().st_mtime_ns), paths) if reason]
    if reasons:
        got = f"{len(reasons)} that cannot: " + "; ".join(reasons)
        raise DataError(folder, "images that can be read", got, "repair or remove them")


@cache  # training and validation look at the same images
def _damage(path: Path, changed: int) -> str | None:
    try:
        read_image(path, least=1)
    except DataError as error:
        return f"{path.name} ({error.got})"
    return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _grey(np.asarray(image, dtype=np.float64), image.mode).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _grey(values: NDArray[np.float64], mode: str) -> Image.Image:
    top = values.max(initial=0)
    # Only 16-bit images say where white lies; for others it is the top of the smallest usual range that holds them.
    usual = [65535.0] if mode.startswith("I;16") else [1.0, 255.0, 65535.0]
    white = next((white for white in usual if top <= white), top)
    return Image.fromarray(np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8))

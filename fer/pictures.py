"""Photographs in and out."""

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from fer.errors import OutputError, SourceError
from fer.files import check_file, check_suffix, reason

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""How the names of pictures end."""

MAX_PIXELS = 120_000_000
"""Pixels of the largest picture that is read: the largest of phones have 108 million."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_QUALITY = 95  # of JPEG and WebP, of 100
_LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383, ".gif": 65_535}  # pixels


def read_picture(
    source: Path | IO[bytes], name: str = "", max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Read a photograph, turned upright as its EXIF data say; of an animation the first frame.

    Args:
        source: A JPEG, PNG, WebP, BMP, GIF or TIFF file: where it is, or opened for reading.
        name: What errors call it; by default the path.
        max_pixels: Of a larger one no pixel is decoded.

    Returns:
        BGR image, uint8 of shape (H, W, 3).

    Raises:
        SourceError: There is no such file, it is no picture, damaged, or too large.
    """
    name = name or (str(source) if isinstance(source, Path) else "The picture")
    if isinstance(source, Path):
        check_file(source, "a picture", name)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and of damage that it can mend.
            warnings.simplefilter("ignore")
            rgb = _decode(source, max_pixels)
    except Image.DecompressionBombError:
        raise SourceError(
            f"{name} is too large: expected a picture of {max_pixels // 10**6} million pixels "
            "at most."
        ) from None
    except UnidentifiedImageError:
        raise SourceError(f"{name} is no picture; expected {', '.join(_FORMATS)}.") from None
    except Exception as error:  # a damaged file makes Pillow raise many things
        why = reason(error) if isinstance(error, OSError) else "it is damaged"
        raise SourceError(f"{name} cannot be read as a picture: {why}.") from error
    return np.ascontiguousarray(rgb[..., ::-1])


def write_picture(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture, whose name appears when it is whole; without EXIF data, as of places.

    Args:
        path: Where it is to be; its suffix, one of `SUFFIXES`, says in which format.
        image: BGR image, uint8 of shape (H, W, 3).

    Raises:
        OutputError: It cannot be written there, or is longer than the format can be.
    """
    check_suffix(path, SUFFIXES)
    longest = _LONGEST_SIDE.get(path.suffix.lower())
    if longest and max(image.shape) > longest:
        raise OutputError(
            f"{path} cannot be written: expected sides of {longest:,} pixels at most; "
            "a PNG can be longer."
        )
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        Image.fromarray(image[..., ::-1].copy()).save(partial, quality=_QUALITY)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):  # as of a disk that is read only
            partial.unlink()
        raise OutputError(f"{path} cannot be written: {reason(error)}.") from error


def _decode(source: Path | IO[bytes], max_pixels: int) -> npt.NDArray[np.uint8]:
    """Read a file as RGB, uint8 of shape (H, W, 3)."""
    with Image.open(source, formats=_FORMATS) as picture:
        if picture.width * picture.height > max_pixels:
            raise Image.DecompressionBombError
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):  # 16 bits and more, which Pillow would cut off
        levels = np.asarray(upright, np.float32)
        white = 65535 if upright.mode.startswith("I") else max(float(levels.max()), 1e-6)
        upright = Image.fromarray((levels / white * 255).clip(0, 255).astype(np.uint8))
    return np.asarray(upright.convert("RGB"))

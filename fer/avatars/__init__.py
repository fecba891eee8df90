"""Drawings of the seven expressions, and of one that cannot be told.

The SVG files are the originals; ``scripts/avatars`` makes the PNG files.
"""

from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fer.expressions import EXPRESSION_NAMES

UNKNOWN = "unknown"
"""The avatar of a face whose expression cannot be told."""

AVATAR_NAMES: tuple[str, ...] = (*EXPRESSION_NAMES, UNKNOWN)


@lru_cache(maxsize=32)
def load_avatar(name: str, side: int) -> npt.NDArray[np.uint8]:
    """Give an avatar in a size.

    Args:
        name: One of `AVATAR_NAMES`.
        side: Its width and height in pixels, at least 1.

    Returns:
        BGRA image, uint8 of shape (side, side, 4), read-only. The colours are
        multiplied by the opacity already, as `paste` wants them.

    Raises:
        ValueError: There is no avatar of this name, or the side is not positive.
    """
    if side < 1:
        raise ValueError(f"An avatar cannot be {side} pixels wide; expected 1 or more.")
    drawing = _drawing(name)
    shrinks = side < len(drawing)
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    avatar = np.asarray(cv2.resize(drawing, (side, side), interpolation=method), np.uint8)
    avatar.flags.writeable = False  # the next caller gets the same one
    return avatar


def paste(
    scene: npt.NDArray[np.uint8], avatar: npt.NDArray[np.uint8], corner: tuple[int, int]
) -> None:
    """Draw an avatar on a picture; what reaches over the edge is left out.

    Args:
        scene: BGR image, uint8 of shape (H, W, 3); it is drawn on.
        avatar: From `load_avatar`.
        corner: x and y of the avatar's upper left corner, in pixels of the scene.
    """
    (x, y), side = corner, len(avatar)
    below = scene[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]
    height, width = below.shape[:2]
    above = avatar[max(-y, 0) :, max(-x, 0) :][:height, :width]
    if below.size:
        seen_through = cv2.cvtColor(255 - above[..., 3], cv2.COLOR_GRAY2BGR)
        cv2.multiply(below, seen_through, dst=below, scale=1 / 255)
        below += above[..., :3]


@cache
def _drawing(name: str) -> npt.NDArray[np.uint8]:
    """A PNG file as BGRA, the colours multiplied by the opacity."""
    if name not in AVATAR_NAMES:
        raise ValueError(
            f"There is no avatar '{name}'; expected one of: {', '.join(AVATAR_NAMES)}."
        )
    data = np.fromfile(Path(__file__).with_name(f"{name}.png"), np.uint8)
    drawing = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)
    share = drawing[..., 3:].astype(np.uint16)
    drawing[..., :3] = (drawing[..., :3] * share + 127) // 255
    return drawing

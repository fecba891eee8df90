"""Pictures for the page, inside its HTML: no file of them is kept, and each is told in words."""

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

STYLE = """<style>
.fer-picture { margin: 0; }
.fer-picture img { display: block; width: 100%; border-radius: 0.35rem; }
.fer-picture.points img { image-rendering: pixelated; }
.fer-picture figcaption { font-size: 0.85rem; line-height: 1.3; padding-top: 0.3rem; }
.fer-gallery { display: grid; gap: 0.5rem; margin-bottom: 1rem;
  grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
@media (max-width: 40rem) {
  .fer-gallery { grid-template-columns: repeat(var(--columns-phone), minmax(0, 1fr)); }
}
</style>"""
"""Belongs on the page once."""

_WIDEST = 1024  # pixels of a picture on the page
_SOLID = 0.75  # of the heat map where it is hottest


def picture_html(image: Image, words: str, caption: str = "", *, points: bool = False) -> str:
    """Draw a picture.

    Args:
        image: BGR, uint8 of shape (H, W, 3), or grey, of shape (H, W).
        words: What it shows, for those who do not see it.
        caption: What stands below it.
        points: Show each pixel as a square; without, the picture is smooth.
    """
    if image.shape[1] > _WIDEST:
        size = (_WIDEST, max(1, round(_WIDEST * image.shape[0] / image.shape[1])))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    kind = "png" if points else "jpeg"
    data = base64.b64encode(cv2.imencode(f".{kind}", image)[1].tobytes()).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="fer-picture{" points" if points else ""}">'
        f'<img src="data:image/{kind};base64,{data}" alt="{escape(words)}">{below}</figure>'
    )


def gallery_html(pictures: Iterable[str], columns: int, columns_phone: int) -> str:
    """Lay pictures side by side.

    Args:
        pictures: From `picture_html`.
        columns: How many stand in a row.
        columns_phone: How many on a narrow screen.
    """
    places = f"--columns:{columns};--columns-phone:{columns_phone}"
    return f'<div class="fer-gallery" style="{places}">{"".join(pictures)}</div>'


def draw_map(values: npt.NDArray[np.float32], low: float, high: float) -> Image:
    """Colour a map: from dark violet for `low` to light yellow for `high`.

    Args:
        values: Of shape (H, W).
        low: The value that is darkest.
        high: The value that is lightest.

    Returns:
        BGR, uint8 of shape (H, W, 3), in the colours *viridis*: their lightness alone tells too.
    """
    shares = (values - low) / max(high - low, 1e-6)
    levels = np.rint(255 * shares.clip(0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8)


def draw_heat(face: Image, values: npt.NDArray[np.float32], side: int = 288) -> Image:
    """Lay a map over a face, where it is above zero.

    Args:
        face: Grey, uint8 of shape (48, 48).
        values: Of shape (6, 6): of the same square.
        side: Of the picture, in pixels.

    Returns:
        BGR, uint8 of shape (side, side, 3).
    """
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    shares = values.clip(0) / max(float(values.max()), 1e-6)
    smooth = cv2.resize(shares, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    share = _SOLID * smooth[..., np.newaxis]
    mixed = (1 - share) * large[..., np.newaxis] + share * draw_map(smooth, 0, 1)
    return np.asarray(np.rint(mixed), np.uint8)


def strongest(maps: npt.NDArray[np.float32], count: int = 8) -> npt.NDArray[np.intp]:
    """Choose the maps that say most of a face: those that differ most from place to place.

    Args:
        maps: Of one stage, shape (side, side, channels).
        count: How many.

    Returns:
        Channels, the strongest first.
    """
    return np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:count]

"""Parts of a frame round faces, small and grey: what a search looks through."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

ROOM = 0.5
"""Round a box, in its sides: so far may a face move between two frames."""

_MEAN_LEVEL = 128  # grey level to which a darker picture is lifted

Boxes = npt.NDArray[np.float32]


class Place(NamedTuple):
    """A part of a frame, small and grey, and where in it a face was.

    Attributes:
        grey: The part, uint8 of shape (h, w).
        corner: Its left upper corner, x and y in pixels of the frame.
        scale: Its pixels over the frame's.
        middle: Of the face's box, x and y in pixels of the part.
    """

    grey: npt.NDArray[np.uint8]
    corner: tuple[int, int]
    scale: float
    middle: npt.NDArray[np.float32]

    def restore(self, boxes: Boxes) -> Boxes:
        """Say where boxes of the part are in the frame: xyxy in pixels, shape (..., 4)."""
        x, y = self.corner
        return np.asarray(boxes / self.scale + (x, y, x, y), np.float32)


def find_places(
    frame: npt.NDArray[np.uint8],
    xyxy: Iterable[npt.NDArray[np.number[Any]]],
    side: int,
    room: float = ROOM,
) -> Iterator[Place]:
    """Cut out boxes, each with some room round it, and scale them.

    Args:
        frame: BGR image, uint8 of shape (H, W, 3).
        xyxy: The boxes in pixels, shape (n, 4).
        side: To which a box is scaled, in pixels.
        room: How much is cut out round a box on each side, in its sides.

    Yields:
        A place for each box, but for those that lie outside the frame.
    """
    height, width = frame.shape[:2]
    for x1, y1, x2, y2 in xyxy:
        margin = room * (x2 - x1)
        left, top = max(0, round(x1 - margin)), max(0, round(y1 - margin))
        right, bottom = min(width, round(x2 + margin)), min(height, round(y2 + margin))
        if right > left and bottom > top:
            scale = side / (x2 - x1)
            yield Place(
                scale_to_grey(frame[top:bottom, left:right], scale),
                corner=(left, top),
                scale=scale,
                middle=np.array([(x1 + x2) / 2 - left, (y1 + y2) / 2 - top], np.float32) * scale,
            )


def straighten(pictures: npt.NDArray[Any], tilts: npt.ArrayLike) -> npt.NDArray[Any]:
    """Turn pictures about their middles until faces that are tilted stand upright.

    Args:
        pictures: Of one channel, uint8 or float32 of shape (n, h, w).
        tilts: By how many degrees each face is tilted against the clock, shape (n,).

    Returns:
        The same again; what comes in over the edge repeats it.
    """
    height, width = pictures.shape[1:]
    straight, tilts = pictures.copy(), np.asarray(tilts)
    for number in np.flatnonzero(tilts):
        turn = _rotation((height, width), -tilts[number])
        straight[number] = cv2.warpAffine(
            pictures[number], turn, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
    return straight


def tilt_boxes(boxes: Boxes, tilt: float, shape: tuple[int, ...]) -> Boxes:
    """Say where boxes of a straightened picture are in the one that it was made from.

    Args:
        boxes: xyxy in pixels, shape (n, 4).
        tilt: As of `straighten`.
        shape: Height and width of the picture.

    Returns:
        Boxes of the same sizes, upright, round the same faces.
    """
    turn = _rotation(shape, tilt)
    corners = boxes.reshape(-1, 2, 2)
    middles = corners.mean(axis=1, keepdims=True)
    # Boxes count from the first pixel's edge, turns from its middle.
    moved = (middles - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5
    return np.asarray((corners + moved - middles).reshape(-1, 4), np.float32)


def _rotation(shape: tuple[int, ...], degrees: float) -> npt.NDArray[np.float64]:
    """Turn about the middle of a picture, against the clock, as `cv2.warpAffine` counts pixels."""
    height, width = shape
    return np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1))


def scale_to_grey(frame: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """Scale a picture, make it grey, and brighten a dark one.

    Args:
        frame: BGR image, uint8 of shape (H, W, 3).
        scale: Sides of the result over the frame's.

    Returns:
        uint8 of shape (h, w), each at least 1.
    """
    height, width = frame.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)  # first: it takes less time than to scale
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # A dark picture is lifted by a plain gain: to equalize the histogram loses small faces.
    gain = max(1.0, _MEAN_LEVEL / max(1.0, float(grey.mean())))
    return np.asarray(cv2.convertScaleAbs(grey, alpha=gain), np.uint8)

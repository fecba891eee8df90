"""What the face detector looks for: the patterns of its cascade, drawn over a face."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from fer.detection import CASCADE

_SCALE = 8  # pixels of the drawing, for each of the cascade's window
_COVER = 0.75  # of the face, under a pattern

Rectangle = tuple[int, int, int, int, float]  # x, y, width, height, weight


def draw_patterns(face: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Draw what the first round of the cascade compares, over a face.

    Args:
        face: What lies in the box round it: BGR, uint8 of shape (H, W, 3).

    Returns:
        For each pattern a grey picture, uint8 of shape (160, 160): the light
        under white is added up, and that under black taken away.
    """
    side, patterns = _first_round()
    size = (side * _SCALE, side * _SCALE)
    grey = cv2.cvtColor(cv2.resize(face, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_BGR2GRAY)
    drawn = []
    for rectangles in patterns:
        picture = np.array(grey, np.uint8)
        # The first rectangle is the whole pattern; the others lie on it.
        for x, y, width, height, weight in rectangles:
            part = np.s_[y * _SCALE : (y + height) * _SCALE, x * _SCALE : (x + width) * _SCALE]
            shade = 255 if weight > 0 else 0
            picture[part] = np.rint((1 - _COVER) * grey[part] + _COVER * shade)
        drawn.append(picture)
    return drawn


@cache
def _first_round() -> tuple[int, list[list[Rectangle]]]:
    """Read the side of the cascade's window, in pixels, and the patterns of its first round."""
    path = cv2.data.haarcascades + CASCADE  # type: ignore[attr-defined]
    file = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    cascade = file.getNode("cascade")
    trees = cascade.getNode("stages").at(0).getNode("weakClassifiers")
    patterns = []
    for tree in range(trees.size()):
        nodes = trees.at(tree).getNode("internalNodes")
        # Four numbers a node: the next on the left, on the right, the pattern, its threshold.
        for place in range(2, nodes.size(), 4):
            pattern = cascade.getNode("features").at(int(nodes.at(place).real()))
            patterns.append(_rectangles(pattern.getNode("rects")))
    return int(cascade.getNode("width").real()), patterns


def _rectangles(node: cv2.FileNode) -> list[Rectangle]:
    rows = [[node.at(row).at(i).real() for i in range(5)] for row in range(node.size())]
    return [(int(x), int(y), int(w), int(h), weight) for x, y, w, h, weight in rows]

"""A camera that vanishes and comes back, as one whose cable was pulled."""

import time
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from fer.closable import Closable
from fer.errors import SourceError
from fer.media import open_source
from fer.sources import Source

RETRY_S = 1.5
"""Between two tries to open a lost camera."""

Image = npt.NDArray[np.uint8]


class ReturningSource(Closable):
    """A source whose camera may be lost, and found again, in the middle of it.

    Iterating gives the frames with their times, which go on over a gap; and None with the time
    where a lost camera is missing: it is looked for as soon as more is asked for. So whoever gets
    None a second time waits for `RETRY_S` before asking again. Anything but a camera ends as it
    always does.

    Args:
        source: As `fer.media.open_source` takes it.

    Attributes:
        live: As `Source.live`.

    Raises:
        SourceError: It cannot be opened. Iterating raises it too, of a camera only before
            its first frame.
    """

    def __init__(self, source: str) -> None:
        self._name = source
        self._source: Source | None = open_source(source)
        self.live = self._source.live

    def __iter__(self) -> Iterator[tuple[Image | None, float]]:
        start, opened_s, given = time.monotonic(), 0.0, False
        while True:
            try:
                if self._source is None:
                    self._source = open_source(self._name)
                    opened_s = time.monotonic() - start
                for frame, time_s in self._source:
                    given = True
                    yield frame, opened_s + time_s
                return
            except SourceError:
                if not (self.live and given):
                    raise
            self.close()
            yield None, time.monotonic() - start

    def close(self) -> None:
        """Let go of the source; a second time does nothing."""
        if self._source:
            self._source.close()
            self._source = None


def no_picture(size: tuple[int, int]) -> Image:
    """Draw a still picture, BGR, that says that the camera is lost.

    Args:
        size: Its width and height, in pixels.
    """
    width, height = size
    scene = np.full((height, width, 3), (44, 39, 31), np.uint8)
    scale = min(width / 640, height / 480)
    lines = (("No picture", 1.4, 2), ("It comes back by itself as soon as there is one.", 0.6, 1))
    for place, (text, size_of_text, thickness) in zip((0.47, 0.57), lines, strict=True):
        font = (cv2.FONT_HERSHEY_DUPLEX, size_of_text * scale)
        strokes = max(1, round(thickness * scale))
        (text_width, _), _ = cv2.getTextSize(text, *font, strokes)
        corner = ((width - text_width) // 2, round(place * height))
        cv2.putText(scene, text, corner, *font, (239, 236, 230), strokes, cv2.LINE_AA)
    return scene

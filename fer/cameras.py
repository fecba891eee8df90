"""Cameras of this machine."""

import itertools
import os
import re
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np

from fer.errors import SourceError
from fer.sources import Source, TimedFrame

CAMERA_SIZE = (640, 480)
"""Width and height asked of a camera, in pixels: as much as the pipeline looks at, and fast."""

_BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_TRIES = 5  # reads without a picture after which a camera counts as gone


def camera_number(source: str) -> int | None:
    """Which camera a person named, by its number or, on Linux, its device; None if it is none."""
    # Devices of cameras have other names too, such as /dev/v4l/by-id/…, that lead to these.
    name = source if source.isdecimal() else os.path.realpath(source)
    found = re.fullmatch(r"(?:/dev/video)?(\d{1,4})", name)
    return int(found[1]) if found else None


class CameraSource(Source):
    """A camera of this machine.

    Args:
        number: 0 for the first.

    Raises:
        SourceError: There is none of that number, or it cannot be used.
    """

    live = True

    def __init__(self, number: int) -> None:
        self._number = number
        level = cv2.utils.logging.getLogLevel()
        # OpenCV would report the missing camera in lines of its own.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._camera = cv2.VideoCapture(number, _BACKENDS.get(sys.platform, cv2.CAP_ANY))
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._camera.isOpened():
            raise SourceError(
                f"There is no camera {number}, or this program may not use it; "
                "expected the number of a camera (0 is the first), a video file or a URL."
            )
        self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_SIZE[0])
        self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_SIZE[1])
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are of no use

    def __iter__(self) -> Iterator[TimedFrame]:
        start = time.monotonic()
        for count in itertools.count():
            for _ in range(_TRIES):
                read, frame = self._camera.read()
                if read:
                    break
            else:
                if count == 0:
                    raise SourceError(
                        f"Camera {self._number} gives no picture: "
                        "close other programs that may be using it."
                    )
                raise SourceError(
                    f"Camera {self._number} gives no more pictures: is it unplugged? "
                    "Plug it in and start again."
                )
            yield np.asarray(frame, np.uint8), time.monotonic() - start

    def close(self) -> None:
        """Let go of the camera; a second time does nothing."""
        self._camera.release()

"""A camera whose cable can be pulled, and plugged in again."""

import itertools
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from tests.synthetic import Image


class Camera:
    """A camera as `cv2.VideoCapture` opens it, which is there as long as a file of its pictures is.

    Args:
        cable: Where that file is, also of a camera in another process.
        pictures: How many it gives before it vanishes for good; None for no end.
    """

    def __init__(self, cable: Path, pictures: int | None = None) -> None:
        self.cable = cable
        self._left = itertools.repeat(None) if pictures is None else iter(range(pictures))

    def plug_in(self, frames: Iterable[Image]) -> None:
        """Let it show these, again and again."""
        partial = self.cable.with_suffix(".partial.npy")
        np.save(partial, np.stack([*frames]))
        os.replace(partial, self.cable)

    def unplug(self) -> None:
        self.cable.unlink()

    def __call__(self, number: int, backend: int) -> Self:
        self._frames = itertools.cycle(np.load(self.cable) if self.isOpened() else ())
        return self

    def isOpened(self) -> bool:
        return self.cable.exists()

    def set(self, what: int, value: float) -> bool:
        return True

    def read(self) -> tuple[bool, Image | None]:
        time.sleep(0.03)
        if not self.isOpened() or next(self._left, self) is self:
            return False, None
        return True, next(self._frames).copy()

    def release(self) -> None:
        pass

"""A recording that a visitor asked for."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer.errors import OutputError
from fer.recording import VideoRecorder

LIMIT_S = 300.0
"""Length of a recording at most, in seconds."""

_FULL = "The recording ended early: the server has no room left. What was recorded is kept."

logger = logging.getLogger(__name__)


class Capture:
    """Records the frames it is given, until it is stopped, too long or the disk is full.

    Belongs to one thread at a time; a page may read the attributes meanwhile.

    Args:
        path: The MP4 file to be.

    Attributes:
        path: The same; it is there once the recording is over, if any frame came.
        seconds: How long it is.
        over: Whether it is finished.
        problem: Why it ended early, in a sentence; None if it did not.

    Raises:
        OutputError: It cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0
        self.over = False
        self.problem: str | None = None
        self._recorder = VideoRecorder(path)
        self._first_s: float | None = None

    def write(self, scene: npt.NDArray[np.uint8], time_s: float) -> None:
        """Add a frame; nothing happens once the recording is over.

        Args:
            scene: BGR image, uint8 of shape (H, W, 3), not to be changed after.
            time_s: When it came, in seconds; later than the last.
        """
        if self.over:
            return
        if self._first_s is None:
            self._first_s = time_s
        if time_s - self._first_s > LIMIT_S:
            self.stop()
            self.problem = f"The recording ended at its limit of {LIMIT_S / 60:.0f} minutes."
            return
        self.seconds = time_s - self._first_s
        try:
            self._recorder.write(scene, self.seconds)
        except OutputError as error:
            self._fail(error)

    def stop(self) -> None:
        """Finish the file; a second time does nothing."""
        if self.over:
            return
        try:
            self._recorder.close()
        except OutputError as error:
            self._fail(error)
        self.over = True

    def _fail(self, error: OutputError) -> None:
        logger.warning("%s", error)
        self.problem = _FULL
        self.stop()

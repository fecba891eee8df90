"""What one stream showed: rows on the disk, and what of it the page draws."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.errors import OutputError
from fer.expressions import READABLE
from fer.films import FilmSummary
from fer.rows import Row, RowFile, make_rows, open_rows
from fer.tracking import UNKNOWN_ID
from fer.web.timeline import Timeline

SAMPLES_PER_S = 5
"""How often what is seen is written down."""

MOST_ROWS = 100_000
"""Rows of a stream; about five hours of one face."""

_STEP_S = 1.0
_MINUTE, _WHOLE = 60, 240  # steps
_MOST_FACES = 20  # whose last minute is remembered

logger = logging.getLogger(__name__)


class History:
    """Writes down what the frames of one stream show, in bounded memory.

    Belongs to one thread at a time; a page may read the attributes meanwhile.

    Args:
        rows: The CSV file to be.
        source: What the rows say they come from.

    Attributes:
        seconds: How long the stream has been going on.
        faces: The last minute of each face, by its id.
        whole: The mean of all faces, since the beginning.
        summary: What the samples showed, counted.
        rows: The CSV file, which is there once it is closed.
        full: Whether rows are missing at its end: there was no room for them.
    """

    def __init__(self, rows: Path, source: str) -> None:
        self.seconds = 0.0
        self.faces: dict[int, Timeline] = {}
        self.whole = Timeline(_STEP_S, _WHOLE, whole=True)
        self.summary = FilmSummary()
        self.rows = rows
        self._source = source
        self.full = False
        self._file: RowFile | None = None
        self._written = 0
        self._frames = 0
        self._first_s = 0.0
        self._due_s = 0.0
        try:
            self._file = open_rows(rows)
        except OutputError as error:
            self._give_up(error)

    def add(self, detections: sv.Detections, time_s: float) -> None:
        """Add what a frame shows, unless it comes too soon after the last sample.

        Args:
            detections: What `fer.ExpressionPipeline` returned.
            time_s: When the frame came, in seconds; later than the last.
        """
        if not self._frames:
            self._first_s = time_s
        self.seconds = time_s - self._first_s
        self._frames += 1
        if self.seconds < self._due_s:
            return
        self._due_s = max(self._due_s + 1 / SAMPLES_PER_S, self.seconds)
        rows = make_rows(detections, self._source, self._frames - 1, self.seconds)
        self.summary.add(rows)
        self._write(rows)
        readable = np.isin(detections.data["state"], READABLE)
        scores = detections.data["scores"]
        for row, face in enumerate(np.asarray(detections.tracker_id)):
            self._remember(int(face), scores[row] if readable[row] else None)
        self.whole.add(self.seconds, scores[readable].mean(axis=0) if readable.any() else None)

    def close(self) -> None:
        """Finish the rows; a second time does nothing."""
        file, self._file = self._file, None
        if file:
            try:
                file.close()
            except OutputError as error:
                self._give_up(error)

    def _remember(self, face: int, scores: npt.NDArray[np.float32] | None) -> None:
        if face == UNKNOWN_ID:
            return
        # Taken out and put in again, so that the face unseen for longest comes first.
        timeline = self.faces.pop(face, None) or Timeline(_STEP_S, _MINUTE)
        timeline.add(self.seconds, scores)
        self.faces[face] = timeline
        if len(self.faces) > _MOST_FACES:
            del self.faces[next(iter(self.faces))]

    def _write(self, rows: list[Row]) -> None:
        if self._file is None or self.full:
            return
        self._written += len(rows)
        if self._written > MOST_ROWS:
            self.full = True
            return
        try:
            self._file.write(rows)
        except OutputError as error:
            self._give_up(error)

    def _give_up(self, error: OutputError) -> None:
        # The visitor is told in other words: the path is no business of theirs.
        logger.warning("%s", error)
        self.full = True

"""What the windows need to play a source: at its own pace, and off their own thread."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.annotation import ExpressionAnnotator
from fer.cameras import CAMERA_SIZE, camera_number
from fer.errors import FerError
from fer.pipeline import ExpressionPipeline
from fer.returning import RETRY_S, ReturningSource, no_picture
from fer.sources import public_name

LATE_S = 0.1
"""A file's frame that comes later than this is passed over."""

SHOWN_EVERY_S = 0.25
"""But one is shown at least this often."""

JOIN_S = 2.0
"""How long to wait for a player to let go of its source; one that stands still may take longer."""


class FrameRate:
    """Frames a second over the last moments."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._step_s = 0.0

    def tick(self) -> float:
        """Count a frame that is shown now; 0 for the first."""
        now = time.monotonic()
        if self._last is not None:
            step_s = now - self._last
            self._step_s = 0.9 * self._step_s + 0.1 * step_s if self._step_s else step_s
        self._last = now
        return 1 / self._step_s if self._step_s else 0.0


class Pace:
    """Plays a file as fast as it was filmed, never faster; what comes too late is dropped."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._shown = 0.0

    def due(self, time_s: float) -> float | None:
        """When a frame is to be shown (by `time.monotonic`), None if it is to be dropped.

        Args:
            time_s: The frame's time in seconds since the start of the file.
        """
        now = time.monotonic()
        if self._start is None:
            self._start = now - time_s
        due = self._start + time_s
        if now - due > LATE_S:
            if now - self._shown < SHOWN_EVERY_S:
                return None
            # Reading alone is too slow, or a stream stood still: go on from here.
            self._start, due = now - time_s, now
        self._shown = max(now, due)
        return due


class Played(NamedTuple):
    """A frame that is to be shown, annotated.

    Attributes:
        scene: BGR image, uint8 of shape (H, W, 3).
        detections: What `fer.ExpressionPipeline` said of it; of no frame, the same without a row.
        number: The frame's, from 0; those that were dropped, or are no frames, count too.
        time_s: The frame's, in seconds.
        due_s: When it is to be shown, on the clock of `time.monotonic`; 0 for now.
        lost: It is no frame: it says that the camera is lost.
    """

    scene: npt.NDArray[np.uint8]
    detections: sv.Detections
    number: int
    time_s: float
    due_s: float
    lost: bool = False


def play(
    frames: Iterable[tuple[npt.NDArray[np.uint8] | None, float]],
    pipeline: ExpressionPipeline,
    *,
    live: bool,
    mirror: bool = False,
    make_annotator: Callable[[int], ExpressionAnnotator] = ExpressionAnnotator,
) -> Iterator[Played]:
    """Annotate the frames that are to be shown, each as soon as it is asked for.

    Args:
        frames: As a `fer.media.Source` or a `fer.returning.ReturningSource` gives them.
        pipeline: What reads them.
        live: Whether they come at their own pace, as `Source.live` says.
        mirror: Mirror them, but not the words.
        make_annotator: Called with the height of the frames, in pixels.

    Yields:
        Of a file those that are not too late.
    """
    pace = Pace()
    annotator = lru_cache(1)(make_annotator)  # another where a camera comes back larger
    detections = sv.Detections.empty()
    size, lost = CAMERA_SIZE, False
    for number, (frame, time_s) in enumerate(frames):
        if frame is None:
            again_s = time.monotonic() + RETRY_S * lost
            lost = True
            pipeline.reset()
            nobody: sv.Detections = detections[:0]  # type: ignore[assignment]
            yield Played(no_picture(size), nobody, number, time_s, again_s, lost)
            continue
        size, lost = (frame.shape[1], frame.shape[0]), False
        due_s = 0.0 if live else pace.due(time_s)
        if due_s is None:
            continue
        if mirror:  # before anything is drawn, or the letters would be mirrored too
            frame = np.ascontiguousarray(frame[:, ::-1])
        detections = pipeline(frame, time_s)
        scene = annotator(len(frame)).annotate(frame, detections)
        yield Played(scene, detections, number, time_s, due_s)


class Result(NamedTuple):
    """A frame, annotated, with what it shows and how many of them come a second.

    Or none: then it is a picture that says that the camera is lost.
    """

    scene: npt.NDArray[np.uint8]
    detections: sv.Detections
    rate: float
    lost: bool = False


class Player(threading.Thread):
    """Reads and annotates one source in a thread of its own; the newest frame is to be shown.

    A camera that is lost is looked for until it is back.

    Args:
        source: As `fer.media.open_source` takes it.
        model: As `fer.ExpressionPipeline` takes it.
        mirror: Whether to mirror the frames; None mirrors a camera's only.
        previous: The player before: a camera can be opened by one at a time.

    Attributes:
        title: The source's name, for people.
        newest: The newest frame, None before the first. It is replaced, never changed.
        ending: Once the thread has ended: why, in one sentence.
    """

    def __init__(
        self, source: str, model: Path | None, mirror: bool | None, previous: "Player | None"
    ) -> None:
        number = camera_number(source)
        self.title = Path(public_name(source)).name if number is None else f"Camera {number}"
        # A read that never returns must not keep the program alive.
        super().__init__(name=f"player of {self.title}", daemon=True)
        self.newest: Result | None = None
        self.ending = f"{self.title} ended unexpectedly."
        self._source, self._model, self._mirror = source, model, mirror
        self._previous = previous
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end; it does so after the frame at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Play until the source ends, fails or is stopped."""
        if self._previous:
            self._previous.join(JOIN_S)
            self._previous = None
        try:
            with ReturningSource(self._source) as frames:
                self._play(frames)
            self.ending = f"{self.title} has ended."
        except FerError as error:
            self.ending = str(error)

    def _play(self, source: ReturningSource) -> None:
        pipeline, rate = ExpressionPipeline(self._model), FrameRate()
        mirror = source.live if self._mirror is None else self._mirror
        for played in play(source, pipeline, live=source.live, mirror=mirror):
            if self._stopping.wait(max(0.0, played.due_s - time.monotonic())):
                return
            rate = FrameRate() if played.lost else rate
            per_s = 0.0 if played.lost else rate.tick()
            self.newest = Result(played.scene, played.detections, per_s, played.lost)

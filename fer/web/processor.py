"""What happens to each picture of a browser's camera. Runs in a media thread: no `st.*` here."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakSet

import av
import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
from streamlit_webrtc import VideoProcessorBase

from fer.annotation import ExpressionAnnotator
from fer.pipeline import ExpressionPipeline, is_too_dark
from fer.web.capture import Capture
from fer.web.colours import frame_of, picture_of
from fer.web.history import History
from fer.web.pace import Pace, Timing
from fer.web.settings import View
from fer.web.visit import LastFace, Visit

_LAST_FACE_S = 1.0  # between two that are kept
_ABSENT_S = 45.0  # without a frame, after which somebody else may have the place

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What a frame shows, for the page.

    Attributes:
        detections: What `fer.ExpressionPipeline` returned.
        too_dark: There is no face, and too little light to find one.
        rate: Frames a second, lately.
        work_s: What reading and drawing a frame takes, on average, in seconds.
        held_s: What of the picture's delay arises in the server, on average, in seconds.
    """

    detections: sv.Detections
    too_dark: bool
    rate: float
    work_s: float
    held_s: float


_running: "WeakSet[ExpressionVideoProcessor]" = WeakSet()
_registry = threading.Lock()  # of the line above


class ExpressionVideoProcessor(VideoProcessorBase):
    """Reads the faces in the frames of one stream and draws what they show.

    There is one for each stream. `fer.web.relay` calls `recv` with the newest
    frame only, in one thread at a time, and `on_ended` when the stream ends: by
    STOP, or because the browser went away.

    Args:
        model: As `fer.ExpressionPipeline` takes it.
        visit: Whose stream it is.
        view: How the picture is shown at first.
        source: What the rows say they come from; only the ``camera`` shows the
            visitor's own face.

    Attributes:
        view: How the picture is shown. A page replaces it at any time.
        latest: What the newest frame shows, None before the first. A page may
            read it from its own thread: it is replaced, never changed.
        last_frame_s: When a frame came last, on the clock of `time.monotonic`;
            None before the first.
        history: What was seen until now.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """

    def __init__(
        self,
        model: str | Path | None,
        visit: Visit,
        view: View,
        source: str = "camera",
    ) -> None:
        self.view = view
        self.latest: Reading | None = None
        self.last_frame_s: float | None = None
        self._pipeline: ExpressionPipeline | None = ExpressionPipeline(model)
        self.history = History(visit.folder / f"{source}.csv", source)
        self._visit = visit
        self._shows_visitor = source == "camera"
        self._capture: Capture | None = None
        self._annotator = ExpressionAnnotator()
        self._annotated: tuple[int, View] | None = None
        self._pace = Pace()
        self._answered = 0
        self._began_s = time.monotonic()
        self._kept_s = -np.inf
        self._complained = False
        # The page's thread begins and ends what the media thread works with.
        self._lock = threading.Lock()
        with _registry:
            _running.add(self)
        LOGGER.info("stream began", extra={"fields": {"source": source}})

    @property
    def seen_s(self) -> float:
        """When there was a sign of the browser last, on the clock of `time.monotonic`."""
        return self.last_frame_s or self._began_s

    def recv(self, frame: av.VideoFrame, came_s: float | None = None) -> av.VideoFrame:
        """Answer a frame with its annotated image.

        A frame that cannot be read comes back without boxes, or black where
        faces are to be hidden, and the log says why: one bad frame must not
        end the stream.

        Args:
            frame: The newest frame of the camera.
            came_s: When it came, on the clock of `time.monotonic`; by default now.

        Returns:
            A frame of the same size and time.
        """
        self.last_frame_s = came_s = time.monotonic() if came_s is None else came_s
        picture = picture_of(frame)
        with self._lock:
            begun_s = time.monotonic()
            scene = self._answer(picture, self.view, came_s)
            self._pace.add(Timing(came_s, begun_s, time.monotonic(), frame.time or 0.0))
            self._answered += 1
        answer = frame_of(scene)
        answer.pts, answer.time_base = frame.pts, frame.time_base
        return answer

    def record(self, capture: Capture | None) -> None:
        """Record the frames from now on, as they are shown; None ends it."""
        with self._lock:
            if self._capture:
                self._capture.stop()
            self._capture = capture

    def on_ended(self) -> None:
        """Let go of the cascade and the interpreter, and finish what was written."""
        with _registry:
            _running.discard(self)
        with self._lock:
            runs, self._pipeline = self._pipeline is not None, None
            self.history.close()
            if self._capture:
                self._capture.stop()
            if runs:
                length_s, work_ms = time.monotonic() - self._began_s, 1000 * self._pace.work_s
                fields = {"length_s": length_s, "frames": self._answered, "work_ms": work_ms}
                LOGGER.info("stream ended", extra={"fields": fields})

    def _answer(
        self, picture: npt.NDArray[np.uint8], view: View, time_s: float
    ) -> npt.NDArray[np.uint8]:
        """Draw on a frame, or on its mirror image, what it shows."""
        # Mirrored before it is drawn on, so that the writing is not.
        scene = np.asarray(cv2.flip(picture, 1), np.uint8) if view.mirror else picture.copy()
        try:
            if self._pipeline:
                # Hidden faces are looked for in every frame, and everywhere.
                self._pipeline.search_always = view.faces.hides
                detections = self._pipeline(picture, time_s)
                self._keep(picture, detections, view, time_s)
                self._draw(scene, detections, view)
                if self._capture:
                    self._capture.write(scene, time_s)
                return scene
        except Exception:
            if not self._complained:
                LOGGER.exception("A frame could not be read; the stream goes on without it.")
            self._complained = True
        return np.zeros_like(scene) if view.faces.hides else scene

    def _draw(self, scene: npt.NDArray[np.uint8], detections: sv.Detections, view: View) -> None:
        # A browser sends smaller frames while the network is busy.
        if self._annotated != (len(scene), view):
            self._annotated = (len(scene), view)
            self._annotator = ExpressionAnnotator(len(scene), view.faces, view.attention)
        if view.mirror:
            detections = mirrored(detections, scene.shape[1])
        self._annotator.annotate(scene, detections)

    def _keep(
        self, picture: npt.NDArray[np.uint8], detections: sv.Detections, view: View, time_s: float
    ) -> None:
        """Keep what the page wants to know of a frame."""
        self.history.add(detections, time_s)
        if not self._shows_visitor:
            pass
        elif view.faces.hides:
            self._visit.last_face = None
        elif time_s - self._kept_s > _LAST_FACE_S and (face := LastFace.of(picture, detections)):
            self._kept_s = time_s
            self._visit.last_face = face
        self.latest = Reading(
            detections,
            not len(detections) and is_too_dark(picture),
            self._pace.rate,
            self._pace.work_s,
            self._pace.held_s,
        )


def running_streams(own: ExpressionVideoProcessor | None = None) -> int:
    """How many streams the server reads at this time, of all visitors.

    One whose browser vanished before or during it counts for 45 seconds more.

    Args:
        own: Not counted.
    """
    with _registry:
        running = [one for one in _running if one is not own]
    return sum(time.monotonic() - one.seen_s < _ABSENT_S for one in running)


def mirrored(detections: sv.Detections, width: int) -> sv.Detections:
    """Give a result as it is in the mirror image of its frame.

    Args:
        detections: What `fer.ExpressionPipeline` returned.
        width: Of the frame in pixels.
    """
    x1, y1, x2, y2 = detections.xyxy.T
    attention = np.asarray(detections.data["attention"])[:, :, ::-1]
    return replace(
        detections,
        xyxy=np.stack([width - x2, y1, width - x1, y2], axis=1),
        data={**detections.data, "attention": attention},
    )

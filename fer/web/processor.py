"""What happens to each picture of a browser's camera. Runs in a media thread: no `st.*` here."""

import logging
import time
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import supervision as sv
from streamlit_webrtc import VideoProcessorBase

from fer.annotation import ExpressionAnnotator
from fer.pipeline import ExpressionPipeline

LOGGER = logging.getLogger(__name__)


class ExpressionVideoProcessor(VideoProcessorBase):
    """Mirrors the frames of one stream, reads the faces and draws what they show.

    streamlit-webrtc makes one for each stream, calls `recv` in the stream's
    own thread with the newest frame only, and `on_ended` when the stream ends:
    by STOP, or because the browser went away.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Attributes:
        latest: What the newest frame shows, None before the first. A page may
            read it from its own thread: it is replaced, never changed.
        last_frame_s: When a frame came last, on the clock of `time.monotonic`;
            None before the first.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """

    def __init__(self, model: str | Path | None = None) -> None:
        self.latest: sv.Detections | None = None
        self.last_frame_s: float | None = None
        self._pipeline: ExpressionPipeline | None = ExpressionPipeline(model)
        self._annotator = ExpressionAnnotator()
        self._annotated_height = 0
        self._complained = False

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Answer a frame with its annotated mirror image.

        A frame that cannot be read comes back mirrored and without boxes, and
        the log says why: one bad frame must not end the stream.

        Args:
            frame: The newest frame of the camera.

        Returns:
            A frame of the same size and time.
        """
        self.last_frame_s = time.monotonic()
        # Mirrored before it is drawn on, so that the writing is not.
        scene = np.ascontiguousarray(frame.to_ndarray(format="bgr24")[:, ::-1], np.uint8)
        try:
            self._read(scene)
        except Exception:
            if not self._complained:
                LOGGER.exception("A frame could not be read; the stream goes on without it.")
            self._complained = True
        answer = av.VideoFrame.from_ndarray(scene, format="bgr24")
        answer.pts, answer.time_base = frame.pts, frame.time_base
        return answer

    def on_ended(self) -> None:
        """Let go of the cascade and the interpreter, and of what was seen."""
        self._pipeline = None
        self.latest = None

    def _read(self, scene: npt.NDArray[np.uint8]) -> None:
        if self._pipeline is None:
            return
        # A browser sends smaller frames while the network is busy.
        if self._annotated_height != len(scene):
            self._annotated_height = len(scene)
            self._annotator = ExpressionAnnotator(len(scene))
        detections = self._pipeline(scene)
        self._annotator.annotate(scene, detections)
        self.latest = detections

"""What the live page keeps of a visitor from one run of its script to the next."""

import threading
from pathlib import Path

import streamlit as st

from fer.errors import OutputError
from fer.web.capture import Capture
from fer.web.processor import ExpressionVideoProcessor
from fer.web.seats import FULL, FullError, is_full, seat_lock
from fer.web.settings import Camera, View
from fer.web.visit import Visit, current_visit

_NO_ROOM = "Nothing can be recorded now: the server has no room left."


class LiveStream:
    """The newest stream of a visit, running or over, and its recording.

    Made by `current_stream`.

    Args:
        visit: Whose it is; its end ends the stream.

    Attributes:
        visit: The same.
        view: How the picture is to be shown.
        camera: Which camera is asked for.
        sample: Whether the sample is wanted in place of the camera.
        processor: Of the newest stream, None before the first.
        capture: The newest recording, None if there is none.
        problem: Why there is no recording, in a sentence.
        turned_away: Whether there was no place left for the stream.
        started_s: When it was started, by `time.monotonic`; 0 while none runs.
        gave_up: Whether the last ended before it had a picture.
        draw_lock: Held by the run of the script that draws the component.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.view = View()
        self.camera = Camera()
        self.sample = False
        self.processor: ExpressionVideoProcessor | None = None
        self.capture: Capture | None = None
        self.problem: str | None = None
        self.turned_away = False
        self.started_s = 0.0
        self.gave_up = False
        self.draw_lock = threading.Lock()
        visit.before_end(self.end)

    def begin(self, model: str | Path | None) -> ExpressionVideoProcessor:
        """Begin another stream; called by streamlit-webrtc, in a thread of its own.

        Args:
            model: As `fer.ExpressionPipeline` takes it.

        Raises:
            FullError: There is no place left for it.
        """
        self.end()
        source = "sample" if self.sample else "camera"
        with seat_lock:
            if is_full():
                raise FullError(FULL)
            self.processor = ExpressionVideoProcessor(model, self.visit, self.view, source)
        return self.processor

    def end(self) -> None:
        """End the stream, if one is running."""
        if self.processor:
            self.processor.on_ended()

    def want_sample(self) -> None:
        """Have the sample play in place of the camera."""
        self.sample = True

    def want_camera(self) -> None:
        """Have the camera again in place of the sample, from the next START on."""
        self.sample = False

    def show(self, view: View) -> None:
        """Change how the picture is shown, from the next frame on."""
        self.view = view
        if self.processor:
            self.processor.view = view

    def record(self) -> None:
        """Begin a recording, which takes the place of the last."""
        self.delete_recording()
        if not self.processor:
            return
        try:
            self.capture = Capture(self.visit.folder / "recording.mp4")
        except OutputError:
            self.problem = _NO_ROOM
            return
        self.processor.record(self.capture)

    def stop_recording(self) -> None:
        """End the recording, if one is running."""
        if self.processor:
            self.processor.record(None)

    def delete_recording(self) -> None:
        """Delete the recording from the server."""
        self.stop_recording()
        if self.capture:
            self.capture.path.unlink(missing_ok=True)
        self.capture = self.problem = None


def current_stream() -> LiveStream:
    """Give the stream of the script's run; not for other threads."""
    visit = current_visit()
    stream: LiveStream | None = st.session_state.get("stream")
    if stream is None or stream.visit is not visit:
        stream = st.session_state["stream"] = LiveStream(visit)
    return stream

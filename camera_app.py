"""The window: ``python camera_app.py [--source 0|FILE|URL]``; `q`, Esc or its button close it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
import typer

from fer.annotation import ExpressionAnnotator
from fer.errors import DisplayError, FerError
from fer.media import Source, open_source
from fer.pipeline import ExpressionPipeline

_TITLE = "Facial expressions, live"
_QUIT_KEYS = {ord("q"), ord("Q"), 27}
_LARGEST = (1280, 720)  # pixels of the window at first; it can be drawn larger
_LATE_S = 0.1  # a file's frame that comes later than this is passed over
_SHOWN_EVERY_S = 0.25  # but one is shown at least this often

Image = npt.NDArray[np.uint8]


class Window:
    """A window of OpenCV, open from the first frame on.

    Raises:
        DisplayError: There is no screen, or this OpenCV has no windows.
    """

    def __init__(self) -> None:
        require_display()
        # The wheel's Qt warns of fonts that it does not need.
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        self._open = False

    def show(self, scene: Image) -> None:
        """Show a BGR image."""
        if not self._open:
            height, width = scene.shape[:2]
            scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            try:
                cv2.namedWindow(_TITLE, flags)
            except cv2.error:
                raise DisplayError(
                    "This OpenCV has no windows; mend it with: "
                    "pip uninstall opencv-python-headless, then "
                    'pip install --force-reinstall "opencv-python<5".'
                ) from None
            cv2.resizeWindow(_TITLE, round(width * scale), round(height * scale))
            self._open = True
        cv2.imshow(_TITLE, scene)

    def quits(self, until: float = 0.0) -> bool:
        """Serve the window until a time of `time.monotonic`; True if the person wants out."""
        while self._open:
            left_ms = round(1000 * (until - time.monotonic()))
            key = cv2.waitKey(max(1, min(left_ms, 50)))
            # A key's upper bits are its modifiers; -1 is no key.
            if key != -1 and key & 0xFF in _QUIT_KEYS:
                return True
            if not _visible():
                return True
            if time.monotonic() >= until:
                break
        return False

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._open:
            cv2.destroyAllWindows()


def _visible() -> bool:
    try:
        return cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:  # Qt is gone with its last window
        return False


def require_display() -> None:
    """Check that a window can be opened: where it cannot, Qt would abort the whole process.

    Raises:
        DisplayError: It cannot.
    """
    if sys.platform != "linux":
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise DisplayError(
            "There is no display to show a window on (neither DISPLAY nor WAYLAND_DISPLAY is set); "
            "use the page instead: scripts/app."
        )
    probe = [sys.executable, "-c", "import cv2; cv2.namedWindow('probe')"]
    try:
        status = subprocess.run(probe, capture_output=True, timeout=20).returncode
    except subprocess.TimeoutExpired:
        status = -1
    # An exception (1) is an OpenCV without windows: `Window.show` tells of it.
    if status < 0:
        name = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        raise DisplayError(
            f"The display {name} cannot be opened; expected a running X server that lets you in."
        )


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
        """When a frame is to be shown (by `time.monotonic`), None if it is to be dropped."""
        now = time.monotonic()
        if self._start is None:
            self._start = now - time_s
        due = self._start + time_s
        if now - due > _LATE_S:
            if now - self._shown < _SHOWN_EVERY_S:
                return None
            # Reading alone is too slow, or a stream stood still: go on from here.
            self._start, due = now - time_s, now
        self._shown = max(now, due)
        return due


def play(source: Source, pipeline: ExpressionPipeline, window: Window, mirror: bool) -> None:
    """Show a source's faces until it ends or the person closes the window."""
    rate, pace = FrameRate(), Pace()
    annotator: ExpressionAnnotator | None = None
    for frame, time_s in source:
        due = 0.0 if source.live else pace.due(time_s)
        if due is None:
            continue
        if mirror:  # before anything is drawn, or the letters would be mirrored too
            frame = np.ascontiguousarray(frame[:, ::-1])
        detections = pipeline(frame, time_s)
        annotator = annotator or ExpressionAnnotator(frame.shape[0])
        scene = annotator.annotate(frame, detections)
        if window.quits(due):
            return
        window.show(write_rate(scene, rate.tick()))
        if window.quits():
            return


def write_rate(scene: Image, rate: float) -> Image:
    """Write the frame rate into the upper left corner of a BGR image; return it."""
    size = scene.shape[0] / 480
    for color, thickness in ((0, 4), (255, 1)):
        cv2.putText(
            scene,
            f"{rate:.0f} fps",
            (round(10 * size), round(25 * size)),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.7 * size,
            (color, color, color),
            max(1, round(thickness * size)),
            cv2.LINE_AA,
        )
    return scene


def main(
    source: Annotated[str, typer.Option(help="Number of a camera, a video file or a URL.")] = "0",
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror", help="Like a mirror. [default: for a camera, not for a file]"
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model: its folder or its .tflite file.")
    ] = None,
) -> None:
    """Show the faces of a camera or a video in a window, and name what they show."""
    try:
        with Window() as window, open_source(source) as frames:
            pipeline = ExpressionPipeline(model)
            play(frames, pipeline, window, frames.live if mirror is None else mirror)
    except FerError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


if __name__ == "__main__":
    typer.run(main)

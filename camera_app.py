"""The window: ``python camera_app.py [--source 0|FILE|URL]``; `q`, Esc or its button close it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer

from fer.annotation import ExpressionAnnotator, FaceView
from fer.closable import Closable
from fer.command_line import Faces, Mirror, Model, ending_in_words
from fer.errors import DisplayError
from fer.films import open_outputs
from fer.pipeline import ExpressionPipeline
from fer.playback import FrameRate, Played, play
from fer.returning import ReturningSource
from fer.rows import make_rows

_TITLE = "Facial expressions, live"
_QUIT_KEYS = {ord("q"), ord("Q"), 27}
_LARGEST = (1280, 720)  # pixels of the window at first; it can be drawn larger

Image = npt.NDArray[np.uint8]


class Window(Closable):
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

    def close(self) -> None:
        """Close it, if it is open."""
        if self._open:
            self._open = False
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


@contextmanager
def keeping(
    source: str, record: Path | None, rows: Path | None
) -> Iterator[Callable[[Played], None]]:
    """Open the files that keep what is shown: a video, rows, both or none.

    Yields:
        What takes each frame that is shown.
    """
    with open_outputs(source, record, rows) as (recorder, table):

        def keep(played: Played) -> None:
            if recorder:
                # A copy: the rate is drawn on it next.
                recorder.write(played.scene.copy(), played.time_s)
            if table and not played.lost:
                table.write(make_rows(played.detections, source, played.number, played.time_s))

        yield keep


def show(
    frames: Iterable[Played], window: Window, keep: Callable[[Played], None] = lambda _: None
) -> None:
    """Show annotated frames until they end or the person closes the window.

    `keep` gets each frame that is shown.
    """
    rate = FrameRate()
    for played in frames:
        keep(played)
        if window.quits(played.due_s):
            return
        if played.lost:
            rate = FrameRate()
            window.show(played.scene)
        else:
            window.show(write_rate(played.scene, rate.tick()))
        if window.quits():
            return


def write_rate(scene: Image, rate: float) -> Image:
    """Write the frame rate, if known, into the upper left corner of a BGR image; return it."""
    if not rate:
        return scene
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
    mirror: Mirror = None,
    model: Model = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep what is shown as a video, an .mp4 file.")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="Keep a row for each face shown: a .csv, .jsonl or .parquet file."),
    ] = None,
    faces: Faces = FaceView.PLAIN,
    attention: Annotated[
        bool, typer.Option("--attention", help="Show which parts of a face the network goes by.")
    ] = False,
) -> None:
    """Show the faces of a camera or a video in a window, and name what they show."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        ending_in_words(),
        # Before the window, which opens for a moment to see whether it can.
        keeping(source, record, rows) as keep,
        Window() as window,
        ReturningSource(source) as frames,
    ):
        played = play(
            frames,
            ExpressionPipeline(model, search_always=faces.hides),
            live=frames.live,
            mirror=frames.live if mirror is None else mirror,
            make_annotator=partial(ExpressionAnnotator, faces=faces, attention=attention),
        )
        show(played, window, keep)


if __name__ == "__main__":
    typer.run(main)

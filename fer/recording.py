"""Annotated video out: H.264 in MP4, with the times and the sound of what it was made from."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.cameras import camera_number
from fer.containers import cut_off_half_piece, open_container, video_streams
from fer.errors import OutputError
from fer.files import OutputFile
from fer.sound import LONGEST_GAP_S, Sound

_CLOCK = Fraction(1, 90_000)  # s
_PRESET, _CRF = "veryfast", "23"  # x264's usual quality, at a fifth of the usual time
_LOOKAHEAD = "3"  # frames that x264 holds: with its usual 10 a copy of 4K takes 0.2 GB more
_AHEAD = 2  # frames that may wait to be encoded; one of 4K takes 25 MB
_RATE = 30  # frames a second, of a camera: how long its last frame is shown
_BT601, _LIMITED_RANGE = 6, 1  # FFmpeg's numbers for the colours that OpenCV converts to

# In pieces of a second, so that it plays even if its end is never written; then joined into an
# ordinary file. The header waits for the first piece, to tell where the sound begins.
_MP4 = {
    "movflags": "hybrid_fragmented+delay_moov",
    "frag_duration": "1000000",
    "flush_packets": "1",
}


class VideoRecorder(OutputFile):
    """Writes frames as a video that plays, however its making ends; in a thread of its own.

    Args:
        path: Where it is to be; its name ends in ``.mp4``.
        source: What the frames come from, as `fer.media.open_source` takes it.
            The sound of a file is copied where MP4 holds it, else encoded as AAC.
        formats: Of the source, as `fer.containers.open_container` takes them.

    Raises:
        OutputError: It cannot be written there.
    """

    def __init__(self, path: Path, source: str | None = None, formats: str = "") -> None:
        super().__init__(path, (".mp4",))
        try:
            self._original = open_again(source, formats) if source else None
            self._container = av.open(f"file:{self._partial}", "w", format="mp4", options=_MP4)
        except BaseException:
            self._partial.unlink()
            raise
        self._video: Any = None
        self._sound: Sound | None = None
        self._end_s = 0.0
        # Not of a pool, which would take no more work as soon as the program is to end.
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._work: Queue[tuple[npt.NDArray[np.uint8], float] | None] = Queue(_AHEAD)
        self._error: OSError | None = None

    def write(self, scene: npt.NDArray[np.uint8], time_s: float) -> None:
        """Add a frame; one of another size is fitted into the size of the first.

        Args:
            scene: BGR image, uint8 of shape (H, W, 3), not to be changed after.
                H.264 wants even sides, so an odd one grows by a pixel.
            time_s: When it is shown, in seconds since the first; later than the last.

        Raises:
            OutputError: There is no room for it, or it comes more than an hour
                after the last; what was written before it is kept.
        """
        if time_s - self._end_s > LONGEST_GAP_S:
            raise OutputError(
                f"{self.path} ends early: there is a gap of more than an hour; "
                "what was written until then is kept."
            )
        if self._video is None:
            self._begin(*scene.shape[:2])
        if self._error:
            raise self._stopped(self._error) from self._error
        self._end_s = time_s + 1 / float(self._video.codec_context.framerate)
        self._work.put((scene, time_s))

    def write_rest_of_sound(self) -> None:
        """Let the sound outlast the last frame, with which it ends otherwise."""
        self._end_s = math.inf

    def _run(self) -> None:
        for scene, time_s in iter(self._work.get, None):
            try:
                if not self._error:
                    self._encode(scene, time_s)
            except OSError as error:  # for the thread that writes
                self._error = error

    def _encode(self, scene: npt.NDArray[np.uint8] | None, time_s: float) -> None:
        """Encode a frame, or what is left, and the sound up to a time."""
        with _as_os_errors():
            frame = None
            if scene is not None:
                frame = av.VideoFrame.from_ndarray(self._to_yuv(scene), format="yuv420p")
                frame.pts, frame.time_base = round(time_s / _CLOCK), _CLOCK
            self._container.mux(self._video.encode(frame))
            for packets in self._sound.until(time_s) if self._sound else ():
                self._container.mux(packets)

    def _begin(self, height: int, width: int) -> None:
        video = video_streams(self._original)[0] if self._original else None
        self._video = self._container.add_stream(
            "libx264",
            rate=(video and video.average_rate) or _RATE,
            # Without B-frames, which are sent out of their order: where frames are few and
            # far between, players then lose the last of them.
            options={"preset": _PRESET, "crf": _CRF, "bf": "0", "rc-lookahead": _LOOKAHEAD},
        )
        self._video.width, self._video.height = width + width % 2, height + height % 2
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.time_base = _CLOCK
        context.colorspace, context.color_range = _BT601, _LIMITED_RANGE
        sound = self._original.streams.best("audio") if self._original else None
        if sound and sound.codec_context:
            self._sound = Sound(sound, video, self._container)
        self._thread.start()

    def _to_yuv(self, scene: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        width, height = self._video.width, self._video.height
        bottom, right = height - scene.shape[0], width - scene.shape[1]
        if bottom not in (0, 1) or right not in (0, 1):
            scene = sv.letterbox_image(scene, (width, height))
        elif bottom or right:
            scene = np.pad(scene, ((0, bottom), (0, right), (0, 0)), mode="edge")
        return np.asarray(cv2.cvtColor(scene, cv2.COLOR_BGR2YUV_I420), np.uint8)

    def _finish(self) -> bool:
        try:
            try:
                self._finish_encoding()
            finally:
                with _as_os_errors():
                    self._container.close()
        finally:
            with suppress(OSError):  # as of a folder that has vanished
                cut_off_half_piece(self._partial)
            if self._original:
                self._original.close()
        return self._video is not None

    def _finish_encoding(self) -> None:
        if not self._thread.is_alive():
            return
        self._work.put(None)
        self._thread.join()
        try:
            self._encode(None, self._end_s)  # after an error too: x264 holds whole frames
        finally:
            if self._error:
                raise self._error


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise what goes wrong as `OSError`: none may cost what was recorded until then."""
    try:
        yield
    except av.FFmpegError as error:  # as of a full disk, or of damaged sound
        raise OSError(error.errno, error.strerror) from error
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def open_again(source: str, formats: str = "") -> Any:
    """Open what the frames come from once more, beside `fer.media`: for its sound or its length.

    Args:
        source: What `fer.media.open_source` was given.
        formats: The same.

    Returns:
        The input of PyAV, for which the caller cares; None for a camera and for
        a live stream, which would be at another time.
    """
    if camera_number(source) is not None or not ("://" in source or os.path.isfile(source)):
        return None
    try:
        original = open_container(source, formats=formats)
    except (av.FFmpegError, OSError):
        return None  # `fer.media` says why
    if original.duration and video_streams(original):
        return original
    original.close()
    return None

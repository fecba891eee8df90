"""The sample, played in place of a camera: again and again, at its own pace."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError


class FilmPlayer(MediaStreamTrack):
    """Plays a film without an end, as streamlit-webrtc wants a player to be.

    aiortc's own ``MediaPlayer`` stops at the film's end, whatever its ``loop``:
    it waits for another exception than PyAV raises there.

    Args:
        path: Of a film whose frames have times.

    Attributes:
        video: The track itself.
        audio: None.
    """

    kind = "video"
    audio = None

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._frames = _endless(path)
        self._start_s: float | None = None

    @property
    def video(self) -> "FilmPlayer":
        """The track of the player, which it is itself."""
        return self

    async def recv(self) -> av.VideoFrame:
        """Wait until the next frame is due.

        Returns:
            A frame, later by its ``time`` than all before it.

        Raises:
            MediaStreamError: The player was stopped.
        """
        frame = next(self._frames, None)
        if frame is None or frame.time is None:
            raise MediaStreamError
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s - frame.time
        await asyncio.sleep(self._start_s + frame.time - now_s)
        return frame

    def stop(self) -> None:
        """End the film; called from any thread."""
        super().stop()
        # Not closed: another thread may be inside. Whoever leaves it last closes the file.
        self._frames = iter(())


def _endless(path: Path) -> Iterator[av.VideoFrame]:
    """Decode a film, and again from its beginning, in times that go on."""
    begin = end = 0
    while True:
        with av.open(str(path)) as film:
            video = film.streams.video[0]
            video.codec_context.thread_count = 1  # no threads that could outlive the stream
            for frame in film.decode(video):
                frame.pts = begin + (frame.pts or 0)
                end = frame.pts + frame.duration
                yield frame
        begin = end

"""The way of a stream's pictures through the server, on which only the newest counts.

Neither streamlit-webrtc nor aiortc drops what comes faster than it is dealt
with: it waits in line, and the picture falls behind for good. Here a frame that
is late is left out.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, cast

import aiortc.rtcrtpreceiver
import av
import streamlit_webrtc.webrtc
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RTP_HISTORY_SIZE

from fer.web.memory import give_back_soon, share_arenas

_PRIORITY = 10  # as of `nice`

LOGGER = logging.getLogger(__name__)


def _yield_to_others() -> None:
    """Let the network and the codecs go first: what they miss is lost, and the work is not."""
    if sys.platform == "linux":  # where a thread may have a priority of its own
        lower = max(_PRIORITY, os.getpriority(os.PRIO_PROCESS, 0))
        with suppress(OSError):  # a host may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)


# For all streams together: more would only take each other's time.
_WORKERS = ThreadPoolExecutor(os.cpu_count(), "frames", _yield_to_others)


class NewestRelay(MediaRelay):
    """Passes tracks on without a buffer: who is slow gets the newest frame."""

    def subscribe(self, track: MediaStreamTrack, buffered: bool = False) -> MediaStreamTrack:
        """Give a track of the newest frames of another.

        Args:
            track: The other.
            buffered: Ignored; no frame ever waits in line.
        """
        return super().subscribe(track, buffered=False)


class BriefJitterBuffer(JitterBuffer):
    """Waits for a lost packet only as long as aiortc asks for it again.

    As aiortc makes it, it goes on waiting for four times as many packets, and
    whatever comes meanwhile is seconds old when it is seen. A picture must fit in:
    browsers keep the largest of the page's under 100.

    Args:
        capacity: How many packets it holds, but no more than are asked for.
        prefetch: As aiortc has it.
        is_video: As aiortc has it.
    """

    def __init__(self, capacity: int, prefetch: int = 0, is_video: bool = False) -> None:
        super().__init__(min(capacity, RTP_HISTORY_SIZE), prefetch, is_video)


class FrameProcessor(Protocol):
    """Answers the frames of one stream, one at a time."""

    def recv(self, frame: av.VideoFrame, came_s: float) -> av.VideoFrame:
        """Answer a frame that came at a time on the clock of `time.monotonic`."""

    def on_ended(self) -> None:
        """Let go of what belongs to the stream."""


class AnsweredTrack(MediaStreamTrack):
    """The track that a browser gets back: each answer once, and nothing but answers.

    Args:
        track: The camera's.
        processor: Answers the frames; it is told when the track ends.
    """

    kind = "video"

    def __init__(self, track: MediaStreamTrack, processor: FrameProcessor) -> None:
        super().__init__()
        self._camera = track
        self._processor = processor

    async def recv(self) -> av.VideoFrame:
        """Wait for the camera's next frame and give its answer.

        Raises:
            MediaStreamError: The camera ended, or the processor broke down.
        """
        try:
            frame = cast(av.VideoFrame, await self._camera.recv())
            work = asyncio.get_running_loop().run_in_executor
            return await work(_WORKERS, self._processor.recv, frame, time.monotonic())
        except MediaStreamError:
            self.stop()
            raise
        except Exception as error:
            LOGGER.exception("A stream broke down and ends; the others go on.")
            self.stop()
            raise MediaStreamError from error

    def stop(self) -> None:
        """End the track, and the processor with it."""
        if self.readyState == "ended":
            return
        super().stop()
        self._camera.stop()
        # In its turn, after the frame that it may be at: a file may have to be finished.
        _WORKERS.submit(self._processor.on_ended).add_done_callback(_report)
        give_back_soon()


def _report(ended: "Future[None]") -> None:
    """Log what kept a stream from ending well."""
    if error := ended.exception():
        LOGGER.error("A stream did not end well.", exc_info=error)


_RELAY = NewestRelay()


def take_over() -> None:
    """Have streamlit-webrtc and aiortc use what is in this module; they let nobody choose."""
    share_arenas()
    for module, name, ours in (
        (aiortc.rtcrtpreceiver, "JitterBuffer", BriefJitterBuffer),
        (streamlit_webrtc.webrtc, "AsyncVideoProcessTrack", AnsweredTrack),
        (streamlit_webrtc.webrtc, "get_global_relay", lambda: _RELAY),
    ):
        getattr(module, name)  # another version may have another name for it: then stop here
        setattr(module, name, ours)

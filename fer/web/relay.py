"""The way of a stream's pictures through the server, on which only the newest counts.

Neither streamlit-webrtc nor aiortc drops what comes faster than it is dealt
with: it waits in line, and the picture falls behind for good. Here a frame that
is late is left out.
"""

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, cast

import aiortc.codecs.vpx
import aiortc.rtcrtpreceiver
import av
import streamlit_webrtc.component
import streamlit_webrtc.webrtc
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RTP_HISTORY_SIZE, RtpPacket

from fer.cores import usable_cores
from fer.web import signalling
from fer.web.memory import give_back_soon, keep_little

LOGGER = logging.getLogger(__name__)

# For all streams together: more would only take each other's time.
_WORKERS = ThreadPoolExecutor(usable_cores(), "frames")


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
    """Hands a picture on once it is whole, and does not wait long for what was lost.

    As aiortc makes it, it hands a picture on when the next one begins to arrive;
    and it goes on waiting for four times as many packets as aiortc asks for
    again, and whatever comes meanwhile is seconds old when it is seen. A picture
    must fit in: browsers keep the largest of the page's under 100 packets.

    Args:
        capacity: How many packets it holds, but no more than are asked for.
        prefetch: As aiortc has it.
        is_video: As aiortc has it.
    """

    def __init__(self, capacity: int, prefetch: int = 0, is_video: bool = False) -> None:
        super().__init__(min(capacity, RTP_HISTORY_SIZE), prefetch, is_video)

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take in a packet.

        Args:
            packet: One that has come.

        Returns:
            Whether the sender has to begin with a whole picture again, and the
            oldest frame if all of it is there: one at most, as aiortc has it.
        """
        anew, frame = super().add(packet)
        if self._is_video and not (frame and frame.data):  # browsers send packets of nothing, too
            frame = self._take_whole()
        return anew, frame

    def _take_whole(self) -> JitterFrame | None:
        """Take the oldest frame if its last packet is there, which is marked (RFC 3550)."""
        packets: list[RtpPacket] = []
        for count in range(self.capacity):
            packet = self._packets[((self._origin or 0) + count) % self.capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                return None
            packets.append(packet)
            if packet.marker:
                self.remove(len(packets))
                data = b"".join(part._data for part in packets)  # type: ignore[attr-defined]
                return JitterFrame(data, packet.timestamp) if data else None
        return None


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
        self._newest: deque[tuple[av.VideoFrame, float]] = deque(maxlen=1)
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def recv(self) -> av.VideoFrame:
        """Wait for a frame that was not answered yet and give its answer.

        Raises:
            MediaStreamError: The camera ended, or the processor broke down.
        """
        self._keeper = self._keeper or asyncio.create_task(self._keep_newest())
        try:
            while not self._newest:
                if self._keeper.done():
                    raise MediaStreamError
                self._changed.clear()
                await self._changed.wait()
            if self.readyState == "ended":
                raise MediaStreamError
            return await asyncio.get_running_loop().run_in_executor(_WORKERS, self._answer)
        except MediaStreamError:
            self.stop()
            raise
        except Exception as error:
            LOGGER.exception("A stream broke down and ends; the others go on.")
            self.stop()
            raise MediaStreamError from error

    async def _keep_newest(self) -> None:
        """Hold the camera's newest frame, and when it came, until the camera ends."""
        try:
            while True:
                frame = cast(av.VideoFrame, await self._camera.recv())
                self._newest.append((frame, time.monotonic()))
                self._changed.set()
        except MediaStreamError:
            pass  # the camera ended
        except Exception:
            LOGGER.exception("A camera broke down, and its stream ends; the others go on.")
        finally:
            self._changed.set()

    def _answer(self) -> av.VideoFrame:
        # Chosen only now: it may have been a long time in line for the worker.
        return self._processor.recv(*self._newest.pop())

    def stop(self) -> None:
        """End the track, and the processor with it."""
        if self.readyState == "ended":
            return
        super().stop()
        self._camera.stop()
        if self._keeper:
            self._keeper.cancel()
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
    keep_little()
    for module, name, ours in (
        (aiortc.rtcrtpreceiver, "JitterBuffer", BriefJitterBuffer),
        (streamlit_webrtc.webrtc, "AsyncVideoProcessTrack", AnsweredTrack),
        (streamlit_webrtc.webrtc, "get_global_relay", lambda: _RELAY),
        (streamlit_webrtc.component, "get_script_run_count", signalling.draws),
        # Two threads of an encoder wait for each other without rest: on a busy machine a picture
        # of 640×480 then took 50 ms of the processors and not 3.
        (aiortc.codecs.vpx, "number_of_threads", lambda pixels, cpus: 1),
    ):
        getattr(module, name)  # another version may have another name for it: then stop here
        setattr(module, name, ours)

"""Viewers made with aiortc, whose cameras' frames carry their number.

    python -m benchmarks.media_client PORT [--viewers 6] [--seconds 10]

A film is encoded once and sent by all viewers, each from a place of its own, so
that they cost little beside the server; what comes back is decoded, each frame
when it is whole, as browsers do. Prints a line when it is ready, one for each
viewer's first answer, and in the end what each viewer saw, as JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cache

import aiortc.rtcrtpreceiver
import av
import cv2
import numpy as np
import numpy.typing as npt
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from fer.web.relay import BriefJitterBuffer
from tests.synthetic import Face, FaceVideo

aiortc.rtcrtpreceiver.JitterBuffer = BriefJitterBuffer

FPS = 15
WARM_UP_S = 4.0
_BITS, _BLOCK = 8, 32  # of a frame's number, and of each bit's square in pixels
_LOOP_S = 8
_TIME_BASE = Fraction(1, 90_000)

Frame = npt.NDArray[np.uint8]


def write_number(frame: Frame, number: int) -> None:
    """Write a frame's number along its lower edge, in black and white squares."""
    for bit in range(_BITS):
        value = 235 if number >> bit & 1 else 20
        frame[-_BLOCK:, bit * _BLOCK : (bit + 1) * _BLOCK] = value


def read_number(grey: Frame) -> int:
    """Read the number from a mirrored frame, whatever its size."""
    height, width = grey.shape
    block = _BLOCK * width // 640
    middles = grey[height - block // 2, width - block // 2 - 1 :: -block][:_BITS]
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


@cache
def coded_film() -> list[bytes]:
    """The camera's picture as VP8, a frame for each of its numbers: one face that moves."""
    video = FaceVideo((Face(period_s=4.0),), seconds=_LOOP_S, fps=FPS)
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = video.size
    encoder.pix_fmt, encoder.bit_rate, encoder.gop_size = "yuv420p", 500_000, 2 * FPS
    encoder.thread_count = 1  # two would wait for each other on a busy machine
    encoder.time_base = Fraction(1, FPS)
    encoder.options = {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0"}
    packets = []
    for number, frame in enumerate(video.frames()):
        write_number(frame, number)
        picture = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
        coded = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        coded.pts = number
        packets += [bytes(packet) for packet in encoder.encode(coded)]
    return packets


class Camera(MediaStreamTrack):
    """Sends the film over and over, and remembers when each frame went."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.sent_s: dict[int, float] = {}
        self._count, self._start_s = 0, time.monotonic()

    async def recv(self) -> av.Packet:
        """Wait until the next frame is due."""
        due_s = self._start_s + self._count / FPS
        await asyncio.sleep(due_s - time.monotonic())
        number = self._count % len(coded_film())
        packet = av.Packet(coded_film()[number])
        packet.pts, packet.time_base = round(self._count / FPS / _TIME_BASE), _TIME_BASE
        self.sent_s[self._count] = time.monotonic()
        self._count += 1
        return packet

    def newest(self, number: int) -> int:
        """The newest frame of a number that was sent."""
        loop = len(coded_film())
        return self._count - 1 - (self._count - 1 - number) % loop


@dataclass
class Viewer:
    """What a viewer saw after the warm-up: frames sent, those answered, and their delays."""

    sent: int = 0
    answered: int = 0
    delays_s: list[float] = field(default_factory=list)
    longest_gap_s: float = 0.0


async def exchange(port: int, connection: RTCPeerConnection) -> None:
    """Offer a connection to the server and take its answer."""
    await connection.setLocalDescription(await connection.createOffer())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    offer = connection.localDescription
    writer.write(json.dumps({"sdp": offer.sdp, "type": offer.type}).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    await connection.setRemoteDescription(RTCSessionDescription(**answer))


class Visitor:
    """A camera that is answered.

    Attributes:
        camera: What is sent.
        answers_s: When the answer to each of its frames came first.
    """

    def __init__(self) -> None:
        self.camera = Camera()
        self.answers_s: dict[int, float] = {}

    async def stay(self, port: int, configuration: RTCConfiguration | None = None) -> None:
        """Send frames and take answers until it is cancelled, and leave as a browser does."""
        connection, came = RTCPeerConnection(configuration), asyncio.Queue()
        connection.addTrack(self.camera)
        connection.on("track", came.put_nowait)
        await exchange(port, connection)
        track = await came.get()
        try:
            while True:
                picture = await track.recv()
                grey = picture.to_ndarray()[: picture.height, : picture.width]
                if not self.answers_s:
                    print("answered", flush=True)
                count = self.camera.newest(read_number(grey))
                self.answers_s.setdefault(count, time.monotonic())
        finally:
            await connection.close()


async def watch(port: int, seconds: float) -> Viewer:
    """Be one viewer for a while, once the first answer has come."""
    visitor = Visitor()
    stay = asyncio.create_task(visitor.stay(port))
    while not visitor.answers_s and not stay.done():
        await asyncio.sleep(0.02)
    begin_s = time.monotonic() + WARM_UP_S
    end_s = begin_s + seconds
    with suppress(TimeoutError, MediaStreamError):
        await asyncio.wait_for(stay, end_s + 1 - time.monotonic())
    answers, sent_s = visitor.answers_s, visitor.camera.sent_s
    sent = [count for count, at_s in sent_s.items() if begin_s <= at_s < end_s]
    delays = [answers[count] - sent_s[count] for count in sent if count in answers]
    came_s = [begin_s, *sorted(at_s for at_s in answers.values() if begin_s < at_s < end_s), end_s]
    return Viewer(len(sent), len(delays), delays, max(np.diff(came_s)))


async def watch_all(port: int, viewers: int, seconds: float) -> Iterable[Viewer]:
    """Be several viewers, who come a little after one another."""
    coded_film()

    async def late(number: int) -> Viewer:
        await asyncio.sleep(0.3 * number)
        return await watch(port, seconds + 0.3 * (viewers - 1 - number))

    return await asyncio.gather(*(late(number) for number in range(viewers)))


def main() -> None:
    """Watch, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--viewers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    coded_film()  # which takes a while
    print("ready", flush=True)
    seen = asyncio.run(watch_all(arguments.port, arguments.viewers, arguments.seconds))
    for viewer in seen:
        print(json.dumps(asdict(viewer)))


if __name__ == "__main__":
    main()

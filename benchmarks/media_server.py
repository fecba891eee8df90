"""The page's media path behind a signalling endpoint of its own, without the page.

What answers is what answers on the page: streamlit-webrtc's worker with our
relay, track and processor. An offer is a line of JSON over TCP, and so is the
answer. Prints its port when it is ready; started by `running_server`.
"""

import asyncio
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import uvloop
from streamlit_webrtc import WebRtcMode
from streamlit_webrtc.webrtc import WebRtcWorker

from fer.web.relay import NewestRelay, take_over
from fer.web.stream import LiveStream
from fer.web.visit import Visit

ROOT = Path(__file__).resolve().parents[1]
_UNUSED = (
    "rtc_configuration source_video_track source_audio_track sink_video_track sink_audio_track "
    "player_factory in_recorder_factory out_recorder_factory video_frame_callback "
    "audio_frame_callback queued_video_frames_callback queued_audio_frames_callback "
    "on_video_ended on_audio_ended audio_processor_factory"
)


def answer_offer(
    offer: dict[str, str], loop: asyncio.AbstractEventLoop, relay: NewestRelay
) -> dict[str, str]:
    """Begin a stream of a visit of its own, which ends with the stream."""
    visit = Visit()
    worker = WebRtcWorker(
        mode=WebRtcMode.SENDRECV,
        video_processor_factory=functools.partial(LiveStream(visit).begin, None),
        async_processing=True,
        video_receiver_size=1,
        audio_receiver_size=1,
        sendback_video=True,
        sendback_audio=True,
        loop=loop,
        relay=relay,
        **dict.fromkeys(_UNUSED.split()),
    )

    @worker.pc.on("connectionstatechange")
    def end_visit() -> None:
        if worker.pc.connectionState == "closed":
            loop.run_in_executor(None, visit.end)

    description = worker.process_offer(offer["sdp"], offer["type"], timeout=10)
    return {"sdp": description.sdp, "type": description.type}


async def serve() -> None:
    """Answer offers until the process is ended."""
    take_over()
    # The loop's pool has all its threads from the start, so that none is taken for a leak.
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.2) for _ in range(32)))
    loop, relay = asyncio.get_running_loop(), NewestRelay()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offer = json.loads(await reader.readline())
        reply = await asyncio.to_thread(answer_offer, offer, loop, relay)
        writer.write(json.dumps(reply).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running_server() -> Iterator[tuple[int, psutil.Process]]:
    """A server in a process of its own: its port, and the process."""
    command = [sys.executable, "-m", "benchmarks.media_server"]
    environment = {**os.environ, "FER_MAX_VIEWERS": "1000"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline()), psutil.Process(process.pid)
        finally:
            process.kill()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as Streamlit does
        runner.run(serve())

"""Several viewers at once, made with aiortc, over the page's own media path."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from benchmarks.media_client import Visitor, coded_film, watch_all
from benchmarks.media_server import ROOT, running_server
from tests.slow_link import SlowLink, slow_link
from tests.test_turn import PASSWORD, USER, turn_server


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing stops a process here")
def test_a_viewer_whose_computer_stalls_touches_nobody_else() -> None:
    command = [sys.executable, "-m", "benchmarks.media_client"]
    with (
        running_server() as (port, server),
        subprocess.Popen(
            [*command, str(port), "--viewers", "1", "--seconds", "600"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as other,
    ):
        try:
            coded_film()  # as the other does meanwhile
            assert other.stdout and other.stdout.readline() == "ready\n"
            assert other.stdout.readline() == "answered\n"
            os.kill(other.pid, signal.SIGSTOP)  # it reads nothing and confirms nothing any more
            [seen] = asyncio.run(watch_all(port, 1, 6))
            assert seen.answered > 5
            assert server.is_running()
        finally:
            other.kill()


async def answered(visitor: Visitor, frames: int) -> int:
    """How many answers come while a visitor's camera sends so many frames."""
    before, end = len(visitor.answers_s), len(visitor.camera.sent_s) + frames
    while len(visitor.camera.sent_s) < end:
        await asyncio.sleep(0.02)
    return len(visitor.answers_s) - before


async def visit_beside_a_slow_network(port: int, server: psutil.Process, link: SlowLink) -> None:
    relay = RTCIceServer(f"turn:127.0.0.1:{link.port}", USER, PASSWORD)
    behind_link = RTCConfiguration([relay], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    direct, slow = Visitor(), Visitor()
    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        stays = [group.create_task(direct.stay(port))]
        await answered(direct, 30)
        alone = await answered(direct, 45)
        stays.append(group.create_task(slow.stay(port, behind_link)))
        await answered(slow, 30)
        resident = server.memory_info().rss

        beside = await answered(direct, 90)
        assert beside > alone, "the other one's network takes half of the frames"
        assert len(slow.answers_s) < 15, "the network is not slow"
        assert server.memory_info().rss < resident + 50 * 2**20, "something piles up"

        link.bits_per_s = 10e6
        frames = len(slow.camera.sent_s)
        while max(slow.answers_s, default=0) < frames:
            await asyncio.sleep(0.02)
        assert len(slow.camera.sent_s) < frames + 60, "what was lost long ago is waited for"
        for stay in stays:
            stay.cancel()


@pytest.mark.slow
def test_a_viewer_with_a_slow_network_touches_nobody_else_and_is_back_with_it(
    tmp_path: Path,
) -> None:
    coded_film()
    with turn_server(tmp_path) as (address, _), running_server() as (port, server):
        turn_port = int(address.rpartition(":")[2])
        with slow_link(("127.0.0.1", turn_port), bits_per_s=100e3) as link:
            asyncio.run(visit_beside_a_slow_network(port, server, link))

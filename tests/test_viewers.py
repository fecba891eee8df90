"""Several viewers at once, made with aiortc, over the page's own media path."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from benchmarks.media_client import watch_all
from benchmarks.media_server import ROOT, running_server


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
            assert other.stdout and other.stdout.readline() == "ready\n"
            assert other.stdout.readline() == "answered\n"
            os.kill(other.pid, signal.SIGSTOP)  # it reads nothing and confirms nothing any more
            [seen] = asyncio.run(watch_all(port, 1, 3))
            assert seen.answered > 5
            assert server.is_running()
        finally:
            other.kill()

"""How many viewers the page's media path serves at once, and what each of them sees.

    python -m benchmarks.viewers [--seconds 20] [VIEWERS ...]

The viewers send 640×480 at 15 frames a second from another process over the
page's own media path and share the processors with it; the server's part is
given apart. A delay is from a frame's sending to the arrival of its answer, read
from its number in the picture. Needs the extra `dev`.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.media_client import FPS, WARM_UP_S, Viewer
from benchmarks.media_server import ROOT, running_server

HEADINGS = ("viewers", "answered", "least", "delay", "95 %", "longest gap", "server", "clients")


def cpu_s(process: psutil.Process) -> float:
    """Seconds of all processors that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(viewers: int, seconds: float) -> tuple[str, ...]:
    """Serve some viewers for a while and give the table's row."""
    command = [sys.executable, "-m", "benchmarks.media_client"]
    options = ["--viewers", str(viewers), "--seconds", str(seconds)]
    with (
        running_server() as (port, server),
        subprocess.Popen(
            [*command, str(port), *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as clients,
    ):
        assert clients.stdout and clients.stdout.readline() == "ready\n"
        processes = server, psutil.Process(clients.pid)
        for _ in range(viewers):
            assert clients.stdout.readline() == "answered\n"
        time.sleep(WARM_UP_S)
        before, start_s = [cpu_s(process) for process in processes], time.monotonic()
        time.sleep(seconds - 1)
        wall_s = time.monotonic() - start_s
        used = [
            (cpu_s(process) - past) / wall_s
            for process, past in zip(processes, before, strict=True)
        ]
        seen = [Viewer(**json.loads(line)) for line in clients.stdout]
    delays = np.concatenate([viewer.delays_s for viewer in seen] or [[np.nan]])
    shares = [viewer.answered / viewer.sent for viewer in seen]
    return (
        str(viewers),
        f"{sum(viewer.answered for viewer in seen) / sum(viewer.sent for viewer in seen):.1%}",
        f"{min(shares):.1%}",
        f"{1e3 * np.median(delays):.0f} ms",
        f"{1e3 * np.percentile(delays, 95):.0f} ms",
        f"{max(viewer.longest_gap_s for viewer in seen):.1f} s",
        f"{used[0]:.2f} cores",
        f"{used[1]:.2f} cores",
    )


def main() -> None:
    """Measure for each number of viewers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("viewers", type=int, nargs="*", default=[1, 6, 8, 12, 16])
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    table = Table(*HEADINGS, title=f"640×480 at {FPS} frames a second")
    for viewers in arguments.viewers:
        table.add_row(*measure(viewers, arguments.seconds))
    Console().print(table)


if __name__ == "__main__":
    main()

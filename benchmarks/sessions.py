"""What is left in the server of people who stream for two seconds and vanish without a goodbye.

    python -m benchmarks.sessions [--sessions 100] [--together 5]

Each batch of viewers is a process that is killed while it streams over the
page's own media path. After the first ten, and again after all, the server is
given the time in which a vanished viewer is noticed; threads, file descriptors
and memory then should be within 5 % of one another. Ends with 1 if they are
not. Needs the extra `dev`; takes about four minutes, and with
``--sessions 20`` less than two.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.media_server import ROOT, running_server

FIRST = 10
STREAM_S, NOTICED_S = 2.0, 45.0
TOLERANCE = 0.05


@dataclass(frozen=True)
class State:
    """What a process holds."""

    threads: int
    descriptors: int
    resident_mb: float

    @classmethod
    def of(cls, process: psutil.Process) -> "State":
        """Look at a process."""
        resident = process.memory_info().rss / 2**20
        return cls(process.num_threads(), process.num_fds(), resident)


def vanish(port: int, together: int) -> None:
    """Stream for two seconds as several viewers, who are then killed."""
    command = [sys.executable, "-m", "benchmarks.media_client", str(port)]
    options = ["--viewers", str(together), "--seconds", "600"]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as clients:
        assert clients.stdout
        for _ in range(1 + together):  # ready, and then each with its first answer
            assert clients.stdout.readline(), "the clients have ended"
        time.sleep(STREAM_S)
        clients.kill()


def settled(server: psutil.Process) -> State:
    """What the server holds once it has noticed who vanished: the least of some looks."""
    time.sleep(NOTICED_S)
    looks = []
    for _ in range(10):
        looks.append(State.of(server))
        time.sleep(0.5)
    return min(looks, key=lambda look: (look.threads, look.descriptors, look.resident_mb))


def main() -> None:
    """Open and kill the sessions, print the table, and end with 1 if something leaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--together", type=int, default=5)
    arguments = parser.parse_args()
    states = {}
    with running_server() as (port, server):
        states["before"] = State.of(server)
        for begin, end in ((0, FIRST), (FIRST, arguments.sessions)):
            for _ in range(begin, end, arguments.together):
                vanish(port, arguments.together)
            states[f"after {end}"] = settled(server)
    table = Table("sessions", "threads", "descriptors", "resident MB")
    for name, state in states.items():
        table.add_row(name, str(state.threads), str(state.descriptors), f"{state.resident_mb:.0f}")
    Console().print(table)
    _, first, last = states.values()
    pairs = zip(vars(first).values(), vars(last).values(), strict=True)
    sys.exit(any(later > (1 + TOLERANCE) * earlier for earlier, later in pairs))


if __name__ == "__main__":
    main()

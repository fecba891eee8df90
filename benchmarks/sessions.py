"""What is left in the server of people who stream for two seconds and vanish without a goodbye.

    python -m benchmarks.sessions [--sessions 100] [--together 5] [--browser]

Each batch of viewers is a process that is killed while it streams over the
page's own media path, or with ``--browser`` a real Chromium on the page itself.
After the first ten, and again after all, the server is given the time in which
a vanished viewer is forgotten; threads, file descriptors and memory then should
be within 5 % of one another. Ends with 1 if they are not. Needs the extra
`dev`, and Chromium for the page; takes about four minutes, with ``--sessions
20`` less than two, and in browsers much longer; there ``--together 2`` is enough.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.media_server import ROOT, running_server
from tests.streamlit_server import running_page

FIRST = 10
STREAM_S = 2.0
CONSENT_S = 45.0  # until a connection is given up whose other end is silent
FORGOTTEN_S = 130.0  # and until the page has let go of the visit too
TOLERANCE = 0.05


@dataclass(frozen=True)
class State:
    """What a process holds."""

    threads: int
    descriptors: int
    resident_mb: float

    @classmethod
    def of(cls, process: psutil.Process, threads: int | None = None) -> "State":
        """Look at a process, of whose threads another may know better which count."""
        resident = process.memory_info().rss / 2**20
        return cls(threads or process.num_threads(), process.num_fds(), resident)


@dataclass(frozen=True)
class Host:
    """A server: the command of its viewers, a look at it, and when it has forgotten them."""

    viewers: list[str]
    look: Callable[[], State]
    forgotten_s: float


@contextmanager
def media_path() -> Iterator[Host]:
    """The page's media path alone."""
    with running_server() as (port, server):
        command = ["benchmarks.media_client", str(port), "--seconds", "600"]
        yield Host(command, lambda: State.of(server), CONSENT_S)


@contextmanager
def whole_page() -> Iterator[Host]:
    """The page itself, whose pools' threads do not count: they grow to a fixed number."""
    environment = {"FER_MAX_VIEWERS": "1000"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_page(Path(folder) / "log.txt", environment=environment) as server,
    ):
        process = psutil.Process(server.pid)
        command = ["benchmarks.page_client", server.url]
        yield Host(command, lambda: State.of(process, server.threads()), FORGOTTEN_S)


def vanish(command: list[str], together: int) -> None:
    """Stream for two seconds as several viewers, who are then killed."""
    with subprocess.Popen(
        [sys.executable, "-m", *command, "--viewers", str(together)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as clients:
        assert clients.stdout
        for _ in range(1 + together):  # ready, and then each with its first answer
            assert clients.stdout.readline(), "the clients have ended"
        time.sleep(STREAM_S)
        parent = psutil.Process(clients.pid)
        family = [parent, *parent.children(recursive=True)]
        for one in family:  # so that none says goodbye because another is gone
            one.suspend()
        for one in family:
            one.kill()


def settled(host: Host) -> State:
    """What the server holds once it has forgotten who vanished: the least of some looks."""
    time.sleep(host.forgotten_s)
    looks = []
    for _ in range(10):
        looks.append(host.look())
        time.sleep(0.5)
    return min(looks, key=lambda look: (look.threads, look.descriptors, look.resident_mb))


def main() -> None:
    """Open and kill the sessions, print the table, and end with 1 if something leaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--together", type=int, default=5)
    parser.add_argument("--browser", action="store_true")
    arguments = parser.parse_args()
    states = {}
    with whole_page() if arguments.browser else media_path() as host:
        states["before"] = host.look()
        for begin, end in ((0, FIRST), (FIRST, arguments.sessions)):
            for _ in range(begin, end, arguments.together):
                vanish(host.viewers, arguments.together)
            states[f"after {end}"] = settled(host)
    table = Table("sessions", "threads", "descriptors", "resident MB")
    for name, state in states.items():
        table.add_row(name, str(state.threads), str(state.descriptors), f"{state.resident_mb:.0f}")
    Console().print(table)
    _, first, last = states.values()
    pairs = zip(vars(first).values(), vars(last).values(), strict=True)
    sys.exit(any(later > (1 + TOLERANCE) * earlier for earlier, later in pairs))


if __name__ == "__main__":
    main()

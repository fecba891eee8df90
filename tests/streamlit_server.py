"""What a test of the browser page needs: a running server and a camera with a known picture."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = Path("/usr/bin/chromium")
FIREFOX = Path("/usr/bin/firefox-esr")
FACE = (109, 64, 211, 165)
"""The astronaut's face in `portrait()`: x1, y1, x2, y2."""

STOP_S = 20  # TimeoutStopSec of deploy/fer.service

_SIZE = (640, 480)
_FRAMES = 120
_POOLS = ("AnyIO worker thread", "asyncio_", "uvloop_", "ThreadPoolExecutor-0_", "frames_")
# Python runs this file at its start; the names are moved into place, so that none is half written.
_LIST_THREADS = """
import os, signal, threading
def list_threads(*_):
    path = os.environ["FER_TEST_THREADS"]
    with open(path + ".new", "w") as file:
        file.write("\\n".join(thread.name for thread in threading.enumerate()))
    os.replace(path + ".new", path)
if hasattr(signal, "SIGUSR1"):
    signal.signal(signal.SIGUSR1, list_threads)
"""
_RATE = 30


def free_port() -> int:
    """A TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    """Whether something listens on a TCP port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Server:
    """A running page: its address, process, log and folder for temporary files."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    temporary: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> int:
        """Its exit status, once it was asked to end as systemd does, which would wait no longer."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def threads(self) -> int:
        """Count the threads, Python's and libraries', but for the server's pools. Linux only.

        A pool grows now and then to its fixed size and is no stream's.
        """
        names = self.log.with_suffix(".threads")
        names.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        wait_for(names.exists, "the server's answer")
        workers = [name for name in names.read_text().splitlines() if name.startswith(_POOLS)]
        return len(os.listdir(f"/proc/{self.pid}/task")) - len(workers)

    def descriptors(self) -> int:
        """Count what it has open. Linux only."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@contextmanager
def running_page(
    log: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start `streamlit_app.py` on a free port and stop it in the end."""
    port = free_port()
    options = {
        "server.headless": "true",
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    command += [f"--{name}={value}" for name, value in options.items()] + ["--", *arguments]
    start_up, temporary = log.parent / "start_up", log.parent / "temporary"
    start_up.mkdir()
    temporary.mkdir(exist_ok=True)
    (start_up / "sitecustomize.py").write_text(_LIST_THREADS)
    own = {
        "FER_TEST_THREADS": str(log.with_suffix(".threads")),
        "PYTHONPATH": os.pathsep.join([str(start_up), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(temporary),
    }
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **own, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(lambda: answers(port) or process.poll() is not None, "the page")
            assert process.poll() is None, log.read_text(errors="replace")
            yield Server(f"http://127.0.0.1:{port}", process, log, temporary)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def browser_arguments(camera: Path | None, *, allow_camera: bool = True) -> list[str]:
    """Chromium's command line, with a camera that plays a file."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    arguments += ["--use-fake-device-for-media-stream"]
    if camera is not None:
        arguments.append(f"--use-file-for-fake-video-capture={camera}")
    if allow_camera:
        arguments.append("--use-fake-ui-for-media-stream")
    return arguments


def portrait() -> npt.NDArray[np.uint8]:
    """The astronaut's head and shoulders: BGR, uint8 of shape (320, 320, 3)."""
    return np.ascontiguousarray(skimage.data.astronaut()[:320, 64:384, ::-1])


def portrait_place(index: int) -> tuple[int, int]:
    """Left upper corner of the portrait in frame `index` of the camera's film."""
    turn = 2 * np.pi * index / _FRAMES
    return round(160 + 120 * np.sin(turn)), round(80 + 50 * np.sin(2 * turn))


def write_camera_film(path: Path) -> Path:
    """Write the camera's picture, a Y4M of 640×480 that loops every four seconds.

    The portrait moves over a noisy grey ground.
    """
    ground = np.random.default_rng(0).integers(90, 130, (*_SIZE[::-1], 3), np.uint8)
    ground, head = cv2.GaussianBlur(ground, (0, 0), 3), portrait()
    with open(path, "wb") as film:
        film.write(f"YUV4MPEG2 W{_SIZE[0]} H{_SIZE[1]} F{_RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(_FRAMES):
            frame = ground.copy()
            left, top = portrait_place(index)
            frame[top : top + 320, left : left + 320] = head
            film.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path

"""A real X server for a test, and what a person does to the windows on it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from tests.requirements import missing, require
from tests.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parents[1]

T = TypeVar("T")


@contextmanager
def running_xserver(size: str = "800x600") -> Iterator[str]:
    """The name of a fresh X server, such as ``:99``."""
    reads, writes = os.pipe()
    command = [require("Xvfb"), "-displayfd", str(writes), "-screen", "0", f"{size}x24"]
    server = subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"], pass_fds=[writes], stderr=subprocess.DEVNULL
    )
    os.close(writes)
    try:
        with os.fdopen(reads) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def managing_windows(display: str) -> Iterator[None]:
    """A window manager, as desktops have one: without it OpenCV's Qt leaves some windows black."""
    # A font that every X server has: it ends at once where its usual one is missing.
    with subprocess.Popen([require("evilwm"), "-fn", "fixed", "-display", display]) as manager:
        try:
            yield
            assert manager.poll() is None, "the window manager has ended"
        finally:
            manager.terminate()


def xdotool(display: str, *arguments: object) -> str:
    """What xdotool answers, nothing where it finds no window."""
    command = [require("xdotool"), *map(str, arguments)]
    environment = {**os.environ, "DISPLAY": display}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout


def find_window(display: str, title: str) -> int:
    """The number of the window with a title, 0 if none shows."""
    found = xdotool(display, "search", "--onlyvisible", "--name", f"^{title}$").split()
    return int(found[0]) if found else 0


def screenshot(display: str, path: Path) -> npt.NDArray[np.uint8]:
    """The whole screen, BGR."""
    command = [require("import"), "-window", "root", str(path)]
    environment = {**os.environ, "DISPLAY": display}
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S)
    return np.asarray(cv2.imread(str(path)), np.uint8)


class Program:
    """A program of ours with a window, running by itself; at the end it is killed if it still does.

    Args:
        display: Name of its X server.
        title: Its window's.
        command: What Python is to run.
        environment: What differs in it.
    """

    def __init__(self, display: str, title: str, *command: object, **environment: str) -> None:
        self.display, self._title = display, title
        inherited = {key: value for key, value in os.environ.items() if key != "WAYLAND_DISPLAY"}
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**inherited, "DISPLAY": display, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, condition: Callable[[], T], what: str) -> T:
        """What a condition gives as soon as it holds, while the program runs."""

        def holds() -> T:
            assert self.process.poll() is None, self.process.communicate()[1]
            return condition()

        return wait_for(holds, what)

    def window(self) -> int:
        """Its window's number, once it shows."""
        return self.wait_for(lambda: find_window(self.display, self._title), "the window")

    def press(self, *keys: str) -> None:
        """Press keys with the window in focus."""
        xdotool(self.display, "windowfocus", "--sync", self.window(), "key", *keys)

    def end(self) -> tuple[int, list[str]]:
        """Its exit status and what it said."""
        _, said = self.process.communicate(timeout=PATIENCE_S)
        lines = [line for line in said.splitlines() if not line.startswith("INFO: Created Tensor")]
        return self.process.returncode, lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def press_close_button(display: str, window: int) -> None:
    """Send what a window manager sends when the close button is pressed."""

    class ClientMessage(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_int),
            ("serial", ctypes.c_ulong),
            ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p),
            ("window", ctypes.c_ulong),
            ("message_type", ctypes.c_ulong),
            ("format", ctypes.c_int),
            ("data", ctypes.c_long * 5),
            ("rest_of_the_union", ctypes.c_long * 24),
        )

    try:
        x: Any = ctypes.CDLL("libX11.so.6")
    except OSError:
        missing("libX11 is not installed")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    server = ctypes.c_void_p(x.XOpenDisplay(display.encode()))
    event = ClientMessage(type=33, window=window, format=32)
    event.message_type = x.XInternAtom(server, b"WM_PROTOCOLS", 0)
    event.data[0] = x.XInternAtom(server, b"WM_DELETE_WINDOW", 0)
    x.XSendEvent(server, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x.XCloseDisplay(server)

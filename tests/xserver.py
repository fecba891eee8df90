"""A real X server for a test, and what a person does to the windows on it."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tests.requirements import missing, require
from tests.waiting import PATIENCE_S


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

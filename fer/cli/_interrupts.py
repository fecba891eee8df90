"""Ctrl-C, and SIGTERM, which means the same."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from fer.command_line import INTERRUPTED


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Let the work go on to a good place to stop; a second Ctrl-C ends it where it is.

    Yields:
        What is set when the work is to stop.

    Raises:
        typer.Exit: Ctrl-C came: at the end of the work, or where a second one came.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        for known in before:
            signal.signal(known, signal.default_int_handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
        if stop.is_set():
            raise typer.Exit(INTERRUPTED)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Gives back to the system the memory of streams that ended.

A connection that is over is a knot of objects that refer to one another, and
what Python frees of it the C library keeps: without this a hundred short
streams would leave a gigabyte with the server.
"""

import ctypes
import gc
import sys
import threading
from contextlib import suppress

_DELAY_S = 5.0  # until the connection of a stream that ended is closed too

_due = threading.Lock()


def give_back_soon() -> None:
    """Give memory back in some seconds, once for all streams that end until then."""
    if not _due.acquire(blocking=False):
        return
    timer = threading.Timer(_DELAY_S, _give_back)
    timer.daemon = True
    timer.start()


def _give_back() -> None:
    _due.release()
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not every C library has it
            ctypes.CDLL(None).malloc_trim(0)

"""Gives back to the system the memory of streams and visits that ended.

A connection that is over is a knot of objects that refer to one another, and
what Python frees of it the C library keeps: without this a hundred short
streams would leave a gigabyte with the server.
"""

import ctypes
import gc
import sys
import threading
from contextlib import suppress

_M_ARENA_MAX = -8  # as malloc.h of the GNU C library has it
_ARENAS = 2
_DELAY_S = 5.0  # until the connection of a stream that ended is closed too

_due = threading.Lock()


def share_arenas() -> None:
    """Have threads to come share a few arenas: what is left in many cannot be given back."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not every C library has it
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_soon() -> None:
    """Give memory back in some seconds, once for all that ends until then."""
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

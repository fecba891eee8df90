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

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as malloc.h of the GNU C library has them
_KEPT_BYTES = 2**20  # at the end of each arena
_MAPPED_BYTES = 2**23  # more than a picture of 1080p, since to map each anew takes time
_DELAY_S = 5.0  # until the connection of a stream that ended is closed too

_due = threading.Lock()


def keep_little() -> None:
    """Have the C library keep little of what threads let go of.

    What lies free at the end of an arena is not given back when it is asked to
    give all back, and there are eight arenas for each processor. It goes by itself
    once it is more than a threshold, which grows with the largest buffer there
    ever was unless it is set.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not every C library has it
            library = ctypes.CDLL(None)
            library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
            library.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


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

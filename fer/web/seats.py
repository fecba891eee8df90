"""How many people the live page serves at once."""

import threading

from fer.cores import usable_cores
from fer.errors import FerError, SourceError
from fer.web.connection import setting
from fer.web.processor import ExpressionVideoProcessor, running_streams

VIEWERS_VARIABLE = "FER_MAX_VIEWERS"
"""Names how many, in the environment or the secrets."""

FULL = (
    "The page is full: as many people as its computer can serve are live now. START comes back "
    "here as soon as one of them leaves. A photo or a video can be read meanwhile."
)

_VIEWERS_A_CORE = 4  # at 11 frames a second each

seat_lock = threading.Lock()
"""Held by whoever looks for a place and takes it."""


class FullError(FerError):
    """There is no place left for another stream."""


def most_viewers() -> int:
    """Read how many streams there may be at once; by default four for each core.

    Raises:
        SourceError: The setting is not understood, or the secrets are damaged.
    """
    named = setting(VIEWERS_VARIABLE)
    if named is None:
        return _VIEWERS_A_CORE * usable_cores()
    if not str(named).isdecimal() or int(named) == 0:
        raise SourceError(f"{VIEWERS_VARIABLE} is not understood; expected a number such as 8.")
    return int(named)


def is_full(own: ExpressionVideoProcessor | None = None) -> bool:
    """Whether all places are taken.

    Args:
        own: A stream of who asks, whose place is free.

    Raises:
        SourceError: As `most_viewers`.
    """
    return running_streams(own) >= most_viewers()

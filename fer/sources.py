"""What frames come from: a camera, a picture, a film, a stream."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fer.closable import Closable

TimedFrame = tuple[npt.NDArray[np.uint8], float]
"""A BGR image, uint8 of shape (H, W, 3), and its time in seconds since the start."""


def public_name(source: str) -> str:
    """What to call a source wherever it is named: a URL without its user, password and query.

    Args:
        source: As `fer.media.open_source` takes it.

    Returns:
        ``rtsp://…@host/path`` for ``rtsp://user:password@host/path``, and
        ``http://host/path?…`` for ``http://host/path?token=1``; anything else as it is.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        return source
    # As far as the last @: a password may hold another, or a slash or a question mark.
    _, user, rest = rest.rpartition("@")
    rest, query, _ = rest.partition("?")
    return f"{scheme}://{user and '…@'}{rest}{query and '?…'}"


class Source(Closable):
    """Frames from somewhere, to be iterated once.

    Iterating gives `TimedFrame`s, whose times never run backwards, and raises
    `SourceError` where the frames end before their time.

    Attributes:
        live: The frames come at their own pace, and the one to see is the newest.
    """

    live: bool

    @abstractmethod
    def __iter__(self) -> Iterator[TimedFrame]:
        """Give the frames."""

"""What frames come from: a camera, a picture, a film, a stream."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

Frame = tuple[npt.NDArray[np.uint8], float]
"""A BGR image, uint8 of shape (H, W, 3), and its time in seconds since the start."""


class Source(ABC):
    """Frames from somewhere, to be iterated once; as a context manager it lets go of them.

    Iterating gives `Frame`s, whose times never run backwards, and raises
    `SourceError` where the frames end before their time.

    Attributes:
        live: The frames come at their own pace, and the one to see is the newest.
    """

    live: bool

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Give the frames."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the camera or file; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

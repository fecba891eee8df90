"""What holds a file or a device until it is closed."""

from abc import ABC, abstractmethod
from typing import Self


class Closable(ABC):
    """Something to be closed; as a context manager it is, however the block ends."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

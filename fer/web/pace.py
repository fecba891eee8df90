"""How fast a stream is answered, and how far its answers are behind."""

from collections import deque
from statistics import fmean
from typing import NamedTuple

_FRAMES = 30  # over which it is measured
_PAUSE_S = 2.0  # after which, or when the camera's clock goes back, it is measured anew


class Timing(NamedTuple):
    """When what was done with a frame, in seconds.

    Attributes:
        came_s: When it came.
        begun_s: When the work on it began, on the same clock.
        answered_s: When it was answered, on the same clock.
        taken_s: When it was taken, on the camera's clock.
    """

    came_s: float
    begun_s: float
    answered_s: float
    taken_s: float


class Pace:
    """The pace of a stream's newest frames; belongs to one thread."""

    def __init__(self) -> None:
        self._frames: deque[Timing] = deque(maxlen=_FRAMES)

    def add(self, frame: Timing) -> None:
        """Add the newest frame."""
        if self._frames and not 0 <= frame.taken_s - self._frames[-1].taken_s <= _PAUSE_S:
            self._frames.clear()
        self._frames.append(frame)

    @property
    def rate(self) -> float:
        """Answers a second; 0 before the second."""
        if len(self._frames) < 2:
            return 0.0
        span_s = self._frames[-1].came_s - self._frames[0].came_s
        return (len(self._frames) - 1) / max(span_s, 1e-3)

    @property
    def work_s(self) -> float:
        """What the work on a frame takes on average, in seconds."""
        return fmean(one.answered_s - one.begun_s for one in self._frames) if self._frames else 0.0

    @property
    def held_s(self) -> float:
        """What of the answers' delay arises here on average, in seconds.

        A frame is late by as much as it took longer to come than the fastest,
        and then it waits and is worked on.
        """
        if not self._frames:
            return 0.0
        fastest = min(one.came_s - one.taken_s for one in self._frames)
        return fmean(one.answered_s - one.taken_s for one in self._frames) - fastest

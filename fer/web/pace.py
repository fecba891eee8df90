"""How fast a stream is answered, and how far its answers are behind."""

from collections import deque
from itertools import pairwise
from statistics import fmean

_FRAMES = 30  # over which it is measured
_PAUSE_S = 2.0  # after which, or when the camera's clock goes back, it is measured anew


class Pace:
    """The pace of a stream's newest frames; belongs to one thread."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, float, float]] = deque(maxlen=_FRAMES)

    def add(self, came_s: float, answered_s: float, taken_s: float) -> None:
        """Add a frame.

        Args:
            came_s: When it came, in seconds.
            answered_s: When it was answered, on the same clock.
            taken_s: When it was taken, on the camera's clock.
        """
        if self._frames and not 0 <= taken_s - self._frames[-1][2] <= _PAUSE_S:
            self._frames.clear()
        self._frames.append((came_s, answered_s, taken_s))

    @property
    def rate(self) -> float:
        """Answers a second; 0 before the second."""
        came_s = [came for came, _, _ in self._frames]
        return (len(came_s) - 1) / max(came_s[-1] - came_s[0], 1e-3) if came_s else 0.0

    @property
    def work_s(self) -> float:
        """From a frame's coming to its answer on average, in seconds."""
        return fmean(answered - came for came, answered, _ in self._frames) if self._frames else 0.0

    @property
    def held_s(self) -> float:
        """What of the answers' delay arises here on average, in seconds.

        A frame is handed on when the next one begins to arrive (aiortc's jitter
        buffer); it is late by as much as it took longer to come than the
        fastest, and then it is worked on.
        """
        frames = list(self._frames)
        if len(frames) < 2:
            return 0.0
        steps = [later[2] - earlier[2] for earlier, later in pairwise(frames)]
        fastest = min(came - taken for came, _, taken in frames)
        answers = fmean(answered - taken for _, answered, taken in frames)
        return max(min(steps), 0.0) + answers - fastest

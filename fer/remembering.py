"""What is remembered of a face: where it was, where it went, what it looks like."""

import math

import numpy as np
import numpy.typing as npt

HOLD_S = 0.25
"""Seconds for which a face stays where it was seen last when a search misses it."""

TURNED_HOLD_S = 0.5
"""The same for a face that is turned away, which is missed more often."""

SAME_LOOK = 0.8
"""Likeness from which on a face is one that was lost. The same face in another light, tilted by 10
degrees or with another mouth is at 0.87 or above in 98 of 100 frames; of the pairs of different
people in scikit-image's part of LFW, 3 in 100 are as alike."""

LOOK_SIZE = 64
"""Numbers in a look."""

_BLOCKS = 8  # of a look, across and down
_LOOK_S = 2.0  # seconds after which an old look still counts 37 %
_MOTION_S = 0.2  # seconds after which an old motion still counts 37 %
_GO_ON_S = 1.0  # for which a missed face is taken to go on as it went
_GROWTH = 0.3  # of a cover, in its sides a second, on each side
_MOST_GROWTH = 0.5

Floats = npt.NDArray[np.float32]


class RememberedFace:
    """A face of a stream.

    Args:
        look: What `take_looks` says of it, shape (64,).
        time_s: Time of the frame in seconds.

    Attributes:
        look: What it looks like, learned over its last seconds.
        box: Where it was seen last, xyxy in pixels, shape (4,).
        track: The number under which the motion is followed.
        seen_s: When it was seen last.
        front_s: When it was seen from the front last.
    """

    box: Floats
    track: int

    def __init__(self, look: Floats, time_s: float) -> None:
        self.look, self.front_s, self.seen_s = look, time_s, -math.inf
        self._learned_s, self._motion = time_s, np.zeros(2, np.float32)  # pixels a second

    def see(self, box: Floats, track: int, look: Floats, time_s: float) -> bool:
        """Take in that a search found it, and say whether it looks like itself.

        A look of NaN is of one that is turned away.
        """
        self.go_on(box, time_s, front=not np.isnan(look).any())
        self.track = track
        same = bool(self.look @ look >= SAME_LOOK)
        if same:  # not from a hand, or from who passes in front
            old = math.exp((self._learned_s - time_s) / _LOOK_S)
            self.look, self._learned_s = _unit(old * self.look + (1 - old) * look), time_s
        return same

    def go_on(self, box: Floats, time_s: float, *, front: bool = True) -> None:
        """Take in where it is now."""
        step_s = time_s - self.seen_s
        if 0 < step_s <= HOLD_S:
            old = math.exp(-step_s / _MOTION_S) if self._motion.any() else 0.0
            step = (box - self.box).reshape(2, 2).mean(axis=0)
            self._motion = old * self._motion + (1 - old) * step / step_s
        elif step_s:
            self._motion = np.zeros(2, np.float32)
        self.box, self.seen_s = box, time_s
        if front:
            self.front_s = time_s

    def in_view(self, time_s: float) -> bool:
        """Whether it was seen so lately that it is taken to be there still."""
        hold_s = HOLD_S if self.seen_s == self.front_s else TURNED_HOLD_S
        return time_s - self.seen_s <= hold_s

    def cover(self, time_s: float) -> Floats:
        """Where it may be by now: it stayed, or went on as it went, or a little elsewhere."""
        missed_s = time_s - self.seen_s
        ahead = self.box + min(missed_s, _GO_ON_S) * np.tile(self._motion, 2)
        near, far = np.minimum(self.box, ahead)[:2], np.maximum(self.box, ahead)[2:]
        grown = min(_GROWTH * missed_s, _MOST_GROWTH) * (far - near)
        return np.concatenate([near - grown, far + grown], dtype=np.float32)


def take_looks(crops: npt.NDArray[np.uint8]) -> Floats:
    """Say what tells faces apart: their coarse light and shadow, however strong the light.

    Args:
        crops: Grey faces, uint8 of shape (n, 48, 48).

    Returns:
        Vectors of length 1, float32 of shape (n, 64). The product of two is
        the likeness of their faces, −1 to 1.
    """
    size = crops.shape[1] // _BLOCKS
    blocks = crops.reshape(-1, _BLOCKS, size, _BLOCKS, size).mean(axis=(2, 4), dtype=np.float32)
    looks = blocks.reshape(-1, LOOK_SIZE)
    return _unit(looks - looks.mean(axis=1, keepdims=True))


def _unit(vectors: Floats) -> Floats:
    """Scale vectors to length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)

"""Whose face is it, and what did it show over the last moments?"""

import math

import numpy as np
import numpy.typing as npt
import supervision as sv
from trackers import OCSORTTracker

HOLD_S = 0.25
"""Seconds for which a face stays where it was seen last when a search misses it."""

UNKNOWN_ID = -1
"""The tracker's id for a face that it does not know yet."""

_FORGET_S = 2.0
_SAME_PLACE_IOU = 0.1


class FaceTracker:
    """Gives the faces of a stream ids that last (OC-SORT, Cao et al. 2023, arXiv:2203.14360).

    A cascade misses a face now and then for a frame or two. Such a face is
    carried on where it was for `HOLD_S`, so that its frame does not blink.

    Attributes:
        known: Where the faces of the last call are: `xyxy` in pixels, float32
            of shape (n, 4).
    """

    def __init__(self) -> None:
        self._tracker = OCSORTTracker(minimum_consecutive_frames=1)
        self._last: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}
        self.known = np.empty((0, 4), np.float32)

    def __call__(self, detections: sv.Detections, time_s: float) -> sv.Detections:
        """Follow the faces.

        Args:
            detections: What a search found; only `xyxy` is used.
            time_s: Time of the frame in seconds. It must not run backwards.

        Returns:
            Detections with `xyxy` and `tracker_id` (`UNKNOWN_ID` at first sight).
        """
        found = self._tracker.update(sv.Detections(xyxy=detections.xyxy), timestamp=time_s)
        xyxy, ids = found.xyxy.astype(np.float32), np.asarray(found.tracker_id, int)
        seen_now = {
            face: (time_s, box)
            for face, box in zip(ids.tolist(), xyxy, strict=True)
            if face != UNKNOWN_ID
        }
        self._last = {
            face: (seen, box)
            for face, (seen, box) in self._last.items()
            if time_s - seen <= HOLD_S and face not in ids
        }
        for face, (_, box) in self._last.items():
            overlaps = sv.box_iou_batch(box[np.newaxis], xyxy) if len(xyxy) else np.zeros(1)
            if overlaps.max() < _SAME_PLACE_IOU:
                xyxy, ids = np.vstack([xyxy, box]), np.append(ids, face)
        self._last |= seen_now
        self.known = xyxy
        return sv.Detections(xyxy=xyxy, tracker_id=ids)


class ScoreSmoother:
    """Averages the scores of each face over the last moments, apart from all others.

    The average is exponential in time, not in frames, so that it feels the
    same at 10 and at 60 frames a second.

    Args:
        time_constant_s: Seconds after which an old score still counts 37 %.
    """

    def __init__(self, time_constant_s: float = 0.25) -> None:
        self._time_constant_s = time_constant_s
        self._faces: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}

    def __call__(
        self, scores: npt.NDArray[np.float32], ids: npt.NDArray[np.integer], time_s: float
    ) -> npt.NDArray[np.float32]:
        """Smooth the scores of one frame.

        Args:
            scores: Probabilities, shape (n, 7).
            ids: The faces' ids, shape (n,). `UNKNOWN_ID` is passed through.
            time_s: Time of the frame in seconds.

        Returns:
            Probabilities, float32 of shape (n, 7); each row still sums to 1.
        """
        self._faces = {
            face: kept for face, kept in self._faces.items() if time_s - kept[0] <= _FORGET_S
        }
        smoothed = scores.copy()
        for row, face in enumerate(ids.tolist()):
            if face == UNKNOWN_ID:
                continue
            if face in self._faces:
                before_s, average = self._faces[face]
                old = math.exp(-max(0.0, time_s - before_s) / self._time_constant_s)
                smoothed[row] = old * average + (1 - old) * scores[row]
            self._faces[face] = (time_s, smoothed[row])
        return smoothed

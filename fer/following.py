"""Where are the faces of a stream, and whose are they?"""

import math
from itertools import cycle, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.carrying import FaceCarrier
from fer.detection import BANDS, IN_PLACE, NEAR, SAME_FACE_IOU, Band, HaarFaceDetector
from fer.places import straighten
from fer.preprocessing import crop_faces
from fer.remembering import take_looks
from fer.tracking import UNKNOWN_ID, FaceTracker

FULL_SEARCH_S = 0.5
"""Seconds in which the whole frame is searched once while every known face is found again."""

EMPTY_SEARCH_S = 0.1
"""Seconds in which the whole frame is searched once while there is no face, or one is missed."""

ASK_S = 0.5
"""Seconds for which a face is taken to be who it was for being where it was; then its look counts
again."""

DOUBT_S = 0.1
"""The same for one that did not look like itself."""

_ELSEWHERE_IOU = 0.1  # of boxes that are not of the same face, at most

Boxes = npt.NDArray[np.number[Any]]
Ids = npt.NDArray[np.int_]
Floats = npt.NDArray[np.float64]


class FaceFollower:
    """Finds the faces of a stream with as little searching as will do, and knows them again.

    A known face is carried on to where it looks the same; now and then, and
    where that fails, it is searched near its place. The whole frame is searched
    a part at a time. Belongs to one stream and one thread, as its detector does.

    Args:
        detector: What searches.
    """

    def __init__(self, detector: HaarFaceDetector) -> None:
        self._detector = detector
        self._carrier = FaceCarrier()
        self._tracker = FaceTracker()
        self._seen_s = self._asked_s = -math.inf
        self._turns, self._bands = 0.0, cycle(BANDS)

    def __call__(
        self, frame: npt.NDArray[np.uint8], time_s: float, *, search_always: bool = False
    ) -> sv.Detections:
        """Find the faces of the next frame.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            time_s: When it was taken, in seconds, later than the last.
            search_always: Search the whole of this frame, and keep the faces
                that are missed, as `fer.tracking.FaceTracker` covers them.

        Returns:
            Detections as of `fer.tracking.FaceTracker`.
        """
        placed = self._find_again(frame, *self._carrier(frame, time_s))
        front, aside = self._look_near(frame, placed)
        bands = self._due(time_s, len(front) + len(aside), search_always)
        self._seen_s = time_s
        if bands:
            hints = _elsewhere(self._detector.hint(frame, bands).xyxy, front.xyxy, SAME_FACE_IOU)
            new = _elsewhere(self._detector.look(frame, hints).xyxy, front.xyxy, SAME_FACE_IOU)
            front, aside = _with(front, new), _elsewhere(aside, new)
        if len(front) + len(aside) == len(placed) and self._are_all(placed, time_s):
            faces = self._tracker.go_on(placed, time_s)
        else:
            self._asked_s = time_s
            found = _with(front, aside)
            looks = take_looks(straighten(crop_faces(frame, found.xyxy), found.data["tilt"]))
            looks[len(front) :] = np.nan
            faces = self._tracker(found, looks, time_s, covers=search_always)
        # Not who is new: a hit that is no face comes once, and is not to stay for that.
        ids, tilts = np.asarray(faces.tracker_id), np.asarray(faces.data["tilt"])
        kept = np.asarray(faces.data["read"], bool) & (ids != UNKNOWN_ID)
        known = sv.Detections(faces.xyxy[kept], tracker_id=ids[kept], data={"tilt": tilts[kept]})
        self._carrier.keep(frame, known, time_s)
        return faces

    def _find_again(
        self, frame: npt.NDArray[np.uint8], carried: sv.Detections, due: sv.Detections
    ) -> sv.Detections:
        """Search those who are due; who is found in its place is who was there."""
        found = self._detector.look(frame, due.xyxy, IN_PLACE).xyxy
        found = _elsewhere(found, carried.xyxy, SAME_FACE_IOU)
        if not len(due) or not len(found):
            return carried
        iou = sv.box_iou_batch(due.xyxy, found)
        best = iou.argmax(axis=1)
        each = (iou.argmax(axis=0)[best] == np.arange(len(due))) & (
            iou.max(axis=1) >= SAME_FACE_IOU
        )
        return _with(carried, found[best[each]], np.asarray(due.tracker_id)[each])

    def _look_near(
        self, frame: npt.NDArray[np.uint8], placed: sv.Detections
    ) -> tuple[sv.Detections, Boxes]:
        """Search where faces were; add those seen from the front, and give those that are not."""
        known, detector = self._tracker.known.xyxy, self._detector
        missing = _elsewhere(known, placed.xyxy, SAME_FACE_IOU)
        if not len(missing):
            return placed, missing
        near = detector.look(frame, missing, NEAR).xyxy
        front = _with(placed, _elsewhere(near, placed.xyxy, SAME_FACE_IOU))
        tilted = detector.tilted(frame, _elsewhere(known, front.xyxy))
        apart = _are_elsewhere(tilted.xyxy, front.xyxy)
        front = _with(front, tilted.xyxy[apart], tilts=np.asarray(tilted.data["tilt"])[apart])
        return front, detector.turned(frame, _elsewhere(known, front.xyxy)).xyxy

    def _due(self, time_s: float, found: int, search_always: bool) -> list[Band]:
        """Which bands to search now, so that every one has its turn in time."""
        known, misses = len(self._tracker.known), self._tracker.misses
        all_there = 0 < known <= found and not misses
        round_s = FULL_SEARCH_S if all_there else EMPTY_SEARCH_S
        turns = self._turns + len(BANDS) * (time_s - self._seen_s) / round_s
        turns = min(len(BANDS), math.inf if search_always else turns)
        self._turns = turns % 1
        return list(islice(self._bands, int(turns)))

    def _are_all(self, placed: sv.Detections, time_s: float) -> bool:
        """Whether everyone is there who is known, and was asked for lately."""
        ids, known = np.asarray(placed.tracker_id), np.asarray(self._tracker.known.tracker_id)
        lately = time_s - self._asked_s < (ASK_S if self._tracker.sure else DOUBT_S)
        return lately and not self._tracker.misses and {*ids.tolist()} == {*known.tolist()}


def _with(
    faces: sv.Detections, boxes: Boxes, ids: int | Ids = UNKNOWN_ID, tilts: float | Floats = 0.0
) -> sv.Detections:
    """Add boxes to faces; by default of upright faces that nobody knows."""
    known, more = np.asarray(faces.tracker_id), np.broadcast_to(ids, len(boxes))
    return sv.Detections(
        np.vstack([faces.xyxy, boxes]),
        tracker_id=np.append(known, more).astype(int),
        data={"tilt": np.append(faces.data["tilt"], np.broadcast_to(tilts, len(boxes)))},
    )


def _elsewhere(boxes: Boxes, others: Boxes, iou: float = _ELSEWHERE_IOU) -> Boxes:
    """Those boxes that are not where another one is."""
    return np.asarray(boxes[_are_elsewhere(boxes, others, iou)])


def _are_elsewhere(
    boxes: Boxes, others: Boxes, iou: float = _ELSEWHERE_IOU
) -> npt.NDArray[np.bool_]:
    """Which boxes are not where another one is."""
    if not len(boxes) or not len(others):
        return np.full(len(boxes), True)
    return np.asarray(sv.box_iou_batch(boxes, others).max(axis=1) < iou)

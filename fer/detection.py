"""Where is a face?"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.places import ROOM, Boxes, find_places, scale_to_grey, straighten, tilt_boxes
from fer.preprocessing import validate_frame

CASCADE = "haarcascade_frontalface_alt2.xml"
"""File of the cascade, among those that come with OpenCV."""

PROFILE_CASCADE = "haarcascade_profileface.xml"
"""File of the cascade for faces seen from the side, of which it knows one."""

SEARCH_SIDE = 320
"""Longer side of the picture that a search of a film's frame looks through, in pixels."""

PHOTO_SEARCH_SIDE = 960
"""The same of a photograph, which is searched once, and may show a whole group."""


class Band(NamedTuple):
    """A part of a search: the faces of some sizes."""

    shrink: int  # of the picture once more: a large face is found as surely there, and sooner
    least: int  # side of a face in that picture, in pixels
    most: int  # 0 for any


BANDS = (Band(1, 24, 28), Band(1, 29, 40), Band(2, 20, 40), Band(4, 20, 0))
"""What a whole search consists of, the part that takes longest first."""


class Look(NamedTuple):
    """How closely to look where there may be a face.

    Attributes:
        side: To which the face is scaled, in pixels.
        hits: How many further hits must overlap a first one for it to count, as
            OpenCV's `minNeighbors`.
        room: How far round the place it may be, in its sides.
        growth: By how much it may be larger or smaller.
    """

    side: int
    hits: int
    room: float = ROOM
    growth: float = 1.4

    @property
    def sizes(self) -> tuple[int, int]:
        """Least and largest side that a face may have by now, in pixels."""
        return round(self.side / self.growth), round(self.side * self.growth)


CLOSELY = Look(60, 8)
"""Says whether a hint is a face, in 4 ms; in our films only faces have as many hits."""

NEAR = Look(40, 6)
"""Finds a known face again where it was a moment ago, in 1 ms."""

IN_PLACE = Look(40, 6, room=0.2)
"""Finds a face again whose place is known, in less."""

TILT = 25.0
"""Degrees by which a picture is turned to find a face that is tilted: by 15 to about 35, measured
on two. Near its place one is found up to about 10 without, and full searches find next to none
beyond 20."""

_SCALE_STEP = 1.1
_HINT_HITS = 1  # nearly every face has more; so has much else, which a closer look leaves out
_PROFILE_HITS = 2  # finds 98 of 100 profiles, and none where there is no face
_PROFILE_SIZES = (28, 56)
_NO_BOXES = np.empty((0, 4), np.float32)
SAME_FACE_IOU = 0.4
"""Of two boxes of one face, at least."""


class HaarFaceDetector:
    """Finds faces by OpenCV's cascades (Viola and Jones 2001).

    A quick search of the whole picture gives hints, and a closer look at each
    says whether it is a face: one that is upright and looks at the camera. Where
    such a face was a moment ago, one that tilts or has turned to the side is
    found too. Belongs to one thread: an OpenCV cascade is not safe in two.

    Args:
        search_side: Longer side to which a call scales larger pictures down, in
            pixels; there a face of 24 pixels is the smallest that it finds.
    """

    def __init__(self, search_side: int = SEARCH_SIDE) -> None:
        self.search_side = search_side
        self._front = _load(CASCADE)

    @cached_property
    def _profile(self) -> Any:
        return _load(PROFILE_CASCADE)  # only a stream needs it

    def __call__(self, frame: npt.NDArray[np.uint8]) -> sv.Detections:
        """Find the faces of a frame.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).

        Returns:
            Detections with `xyxy` in pixels of the frame, float32 of shape (n, 4).

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        return self.look(frame, self.hint(frame).xyxy)

    def hint(self, frame: npt.NDArray[np.uint8], bands: Sequence[Band] = BANDS) -> sv.Detections:
        """Say quickly where there may be faces; many a hint is none.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            bands: The sizes to look for: a stream spreads them over its frames.
                By default `BANDS`, all of them.

        Returns:
            Detections with `xyxy`, as a call gives them.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        scale = min(1.0, self.search_side / max(frame.shape[:2]))
        # Each size of picture once: two bands share one.
        greys = {
            shrink: scale_to_grey(frame, scale / shrink)
            for shrink in {band.shrink for band in bands}
        }
        hints = [
            _search(self._front, greys[shrink], sizes, _HINT_HITS) * shrink / scale
            for shrink, *sizes in bands
        ]
        return sv.Detections(_without_doubles(hints))

    def look(
        self,
        frame: npt.NDArray[np.uint8],
        xyxy: npt.NDArray[np.number[Any]],
        how: Look = CLOSELY,
    ) -> sv.Detections:
        """Look where there may be faces.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where there may be faces, in pixels, shape (n, 4).
            how: How closely.

        Returns:
            Detections with `xyxy`, as a call gives them: those that are faces.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        found = [
            place.restore(_search(self._front, place.grey, how.sizes, how.hits))
            for place in find_places(frame, xyxy, how.side, how.room)
        ]
        return sv.Detections(_without_doubles(found))

    def tilted(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]]
    ) -> sv.Detections:
        """Find faces that tilt to a shoulder where they were a moment ago.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where the faces were, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, upright squares round the faces, and in `data`
            ``tilt``, by about how many degrees each is tilted against the clock.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        found, tilts = [_NO_BOXES], [np.empty(0)]
        for place in find_places(frame, xyxy, NEAR.side, NEAR.room):
            for tilt in (TILT, -TILT):
                [upright] = straighten(place.grey[np.newaxis], np.array([tilt]))
                boxes = _search(self._front, upright, NEAR.sizes, NEAR.hits)
                found.append(place.restore(tilt_boxes(boxes, tilt, upright.shape)))
                tilts.append(np.full(len(boxes), tilt))
        boxes = np.vstack(found)
        once = _are_first(boxes)
        return sv.Detections(boxes[once], data={"tilt": np.concatenate(tilts)[once]})

    def turned(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]]
    ) -> sv.Detections:
        """Find faces that have turned to the side where they were a moment ago.

        The cascade takes other things for a profile now and then: ask only for
        faces that are not found from the front.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where the faces were, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, at most one for each place.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        found = []
        for place in find_places(frame, xyxy, NEAR.side, NEAR.room):
            profiles = self._profiles(place.grey).reshape(-1, 2, 2)
            if len(profiles):
                # Boxes round profiles are others, and jump: the face keeps its size, and follows.
                middle = profiles.mean(axis=(0, 1)) / 2 + place.middle / 2
                half = NEAR.side / 2
                found.append(place.restore(np.hstack([middle - half, middle + half])[np.newaxis]))
        return sv.Detections(_without_doubles(found))

    def _profiles(self, grey: npt.NDArray[np.uint8]) -> Boxes:
        """Search for profiles; the cascade knows those that look to one side."""
        boxes, mirrored = (
            _search(self._profile, picture, _PROFILE_SIZES, _PROFILE_HITS)
            for picture in (grey, np.ascontiguousarray(grey[:, ::-1]))
        )
        mirrored[:, [0, 2]] = grey.shape[1] - mirrored[:, [2, 0]]
        return np.vstack([boxes, mirrored])


def _load(cascade: str) -> Any:
    return cv2.CascadeClassifier(cv2.data.haarcascades + cascade)  # type: ignore[attr-defined]


def _search(cascade: Any, grey: npt.NDArray[np.uint8], sizes: Sequence[int], hits: int) -> Boxes:
    """Run a cascade; return boxes in pixels of the picture, float32 of shape (n, 4).

    `sizes` are the least and the largest side of a face, 0 for any.
    """
    least, most = sizes
    boxes = cascade.detectMultiScale(
        grey, _SCALE_STEP, hits, minSize=(least, least), maxSize=(most, most)
    )
    return np.asarray(sv.xywh_to_xyxy(np.asarray(boxes, np.float32).reshape(-1, 4)), np.float32)


def _without_doubles(found: Sequence[Boxes]) -> Boxes:
    """Put boxes together, each face's only once."""
    boxes = np.concatenate([_NO_BOXES, *found], dtype=np.float32)
    return boxes[_are_first(boxes)]


def _are_first(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """Say which boxes to keep so that each face has one."""
    if len(boxes) < 2:
        return np.full(len(boxes), True)
    ranked = np.column_stack([boxes, np.ones(len(boxes), np.float32)])
    return np.asarray(sv.box_non_max_suppression(ranked, iou_threshold=SAME_FACE_IOU))

"""Where is a face?"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.preprocessing import validate_frame

CASCADE = "haarcascade_frontalface_alt2.xml"
"""File of the cascade, among those that come with OpenCV."""

PROFILE_CASCADE = "haarcascade_profileface.xml"
"""File of the cascade for faces seen from the side, of which it knows one."""

SEARCH_SIDE = 320
"""Longer side of the picture that a search of a film's frame looks through, in pixels."""

PHOTO_SEARCH_SIDE = 960
"""The same of a photograph, which is searched once, and may show a whole group."""

LOOK_SIDE, NEAR_SIDE = 60, 40
"""Sides to which `look` and `near` scale the face that they look for, in pixels."""


class Band(NamedTuple):
    """A part of a search: the faces of some sizes."""

    shrink: int  # of the picture once more: a large face is found as surely there, and sooner
    least: int  # side of a face in that picture, in pixels
    most: int  # 0 for any


BANDS = (Band(1, 24, 28), Band(1, 29, 40), Band(2, 20, 40), Band(4, 20, 0))
"""What a whole search consists of, the part that takes longest first."""

_SCALE_STEP = 1.1
_HINT_NEIGHBORS = 1  # hits beside the first: nearly every face has more, and much that is none
_LOOK_NEIGHBORS = 8  # nothing in a film of ours that is no face has as many
_NEAR_NEIGHBORS = 6  # a face that is known needs less
_MIN_PROFILE_NEIGHBORS = 2  # finds 98 of 100 profiles, and none where there is no face
_PROFILE_SIZES = (28, 56)
_ROOM = 0.5  # round a box, in its sides: so far may a face move between two frames
_GROWTH = 1.4  # so much may it grow or shrink
_SAME_FACE_IOU = 0.4
_MEAN_LEVEL = 128  # grey level to which a darker picture is lifted

Boxes = npt.NDArray[np.float32]


class HaarFaceDetector:
    """Finds upright faces that look at the camera (Viola and Jones 2001).

    A quick search of the whole picture gives hints, and a closer look at each
    says whether it is a face. Belongs to one thread: an OpenCV cascade is not
    safe in two.

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
            shrink: _lifted(frame, scale / shrink) for shrink in {band.shrink for band in bands}
        }
        hints = [
            _search(self._front, greys[shrink], sizes, _HINT_NEIGHBORS) * shrink / scale
            for shrink, *sizes in bands
        ]
        return sv.Detections(_without_doubles(hints))

    def look(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]]
    ) -> sv.Detections:
        """Look closely where there may be faces, 4 ms a place.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where there may be faces, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, as a call gives them: those that are faces.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        return self._find(frame, xyxy, LOOK_SIDE, _LOOK_NEIGHBORS)

    def near(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]]
    ) -> sv.Detections:
        """Find faces again where they were a moment ago, a millisecond a face.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where the faces were, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, as a call gives them; a face that is not
            found near its old place is not among them.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        return self._find(frame, xyxy, NEAR_SIDE, _NEAR_NEIGHBORS)

    def _find(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]], side: int, hits: int
    ) -> sv.Detections:
        """Find faces near boxes and of about their size, scaled to `side` pixels."""
        validate_frame(frame)
        sizes = (round(side / _GROWTH), round(side * _GROWTH))
        found = [
            place.restore(_search(self._front, place.grey, sizes, hits))
            for place in _places(frame, xyxy, side)
        ]
        return sv.Detections(_without_doubles(found))

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
        for place in _places(frame, xyxy, NEAR_SIDE):
            profiles = self._profiles(place.grey).reshape(-1, 2, 2)
            if len(profiles):
                # Boxes round profiles are others, and jump: the face keeps its size, and follows.
                middle = profiles.mean(axis=(0, 1)) / 2 + place.middle / 2
                half = place.side / 2
                found.append(place.restore(np.hstack([middle - half, middle + half])[np.newaxis]))
        return sv.Detections(_without_doubles(found))

    def _profiles(self, grey: npt.NDArray[np.uint8]) -> Boxes:
        """Search for profiles; the cascade knows those that look to one side."""
        boxes, mirrored = (
            _search(self._profile, picture, _PROFILE_SIZES, _MIN_PROFILE_NEIGHBORS)
            for picture in (grey, np.ascontiguousarray(grey[:, ::-1]))
        )
        mirrored[:, [0, 2]] = grey.shape[1] - mirrored[:, [2, 0]]
        return np.vstack([boxes, mirrored])


class _Place(NamedTuple):
    """A part of a frame, small and grey, and where in it a face was."""

    grey: npt.NDArray[np.uint8]
    corner: tuple[int, int]
    scale: float
    middle: npt.NDArray[np.float32]
    side: float

    def restore(self, boxes: Boxes) -> Boxes:
        """Boxes of the part in pixels of the frame."""
        return np.asarray(boxes / self.scale + self.corner * 2, np.float32)


def _load(cascade: str) -> Any:
    return cv2.CascadeClassifier(cv2.data.haarcascades + cascade)  # type: ignore[attr-defined]


def _places(
    frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number[Any]], side: int
) -> Iterator[_Place]:
    """Cut out boxes, each with some room round it, and scale them to `side` pixels."""
    height, width = frame.shape[:2]
    for x1, y1, x2, y2 in xyxy:
        margin = _ROOM * (x2 - x1)
        left, top = max(0, round(x1 - margin)), max(0, round(y1 - margin))
        right, bottom = min(width, round(x2 + margin)), min(height, round(y2 + margin))
        if right > left and bottom > top:
            scale = side / (x2 - x1)
            yield _Place(
                _lifted(frame[top:bottom, left:right], scale),
                corner=(left, top),
                scale=scale,
                middle=np.array([(x1 + x2) / 2 - left, (y1 + y2) / 2 - top], np.float32) * scale,
                side=(x2 - x1) * scale,
            )


def _lifted(frame: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """Scale a picture, make it grey, and brighten a dark one."""
    height, width = frame.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Scaled before it turns grey: fewer pixels to convert.
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    # A dark picture is lifted by a plain gain: to equalize the histogram loses small faces.
    gain = max(1.0, _MEAN_LEVEL / max(1.0, float(grey.mean())))
    return np.asarray(cv2.convertScaleAbs(grey, alpha=gain), np.uint8)


def _search(
    cascade: Any, grey: npt.NDArray[np.uint8], sizes: Sequence[int], neighbors: int
) -> Boxes:
    """Run a cascade; return boxes in pixels of the picture, float32 of shape (n, 4).

    `sizes` are the least and the largest side of a face, 0 for any.
    """
    least, most = sizes
    boxes = cascade.detectMultiScale(
        grey, _SCALE_STEP, neighbors, minSize=(least, least), maxSize=(most, most)
    )
    return np.asarray(sv.xywh_to_xyxy(np.asarray(boxes, np.float32).reshape(-1, 4)), np.float32)


def _without_doubles(found: Sequence[Boxes]) -> Boxes:
    """Put boxes together, each face's only once."""
    boxes = np.concatenate([np.empty((0, 4), np.float32), *found], dtype=np.float32)
    if len(boxes) < 2:
        return boxes
    ranked = np.column_stack([boxes, np.ones(len(boxes), np.float32)])
    return boxes[sv.box_non_max_suppression(ranked, iou_threshold=_SAME_FACE_IOU)]

"""Where is a face?"""

from collections.abc import Iterator
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
"""Longer side of the picture that a full search of a film's frame looks through, in pixels."""

PHOTO_SEARCH_SIDE = 960
"""The same of a photograph, which is searched once, and may show a whole group."""

NEAR_SIDE = 40
"""Side to which `near` scales the face that it looks for, in pixels."""

_SCALE_STEP = 1.1
_MIN_NEIGHBORS = 6  # no known face has fewer, and most of what is no face has
_LARGE_SIDE, _MIN_LARGE_NEIGHBORS = 36, 10  # pixels: a larger face is hit 20 times and more
_MIN_PROFILE_NEIGHBORS = 2  # finds 98 of 100 profiles, and none where there is no face
_MIN_SIDE = 24  # pixels of the scaled picture: 48 of a 640×480 frame
_NEAR_SIZES = (28, 56)  # pixels: a face grows or shrinks by 1.4 between two frames at most
_SAME_FACE_IOU = 0.4
_MEAN_LEVEL = 128  # grey level to which a darker picture is lifted

Boxes = npt.NDArray[np.float32]


class HaarFaceDetector:
    """Finds upright faces that look at the camera (Viola and Jones 2001).

    Belongs to one thread: an OpenCV cascade is not safe in two.

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
        validate_frame(frame)
        scale = min(1.0, self.search_side / max(frame.shape[:2]))
        boxes, hits = self._front.detectMultiScale2(
            _lifted(frame, scale), _SCALE_STEP, _MIN_NEIGHBORS, minSize=(_MIN_SIDE, _MIN_SIDE)
        )
        xywh = np.asarray(boxes, np.float32).reshape(-1, 4)
        clear = (xywh[:, 2] < _LARGE_SIDE) | (np.ravel(hits) >= _MIN_LARGE_NEIGHBORS)
        return sv.Detections(np.asarray(sv.xywh_to_xyxy(xywh[clear]) / scale, np.float32))

    def near(self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.floating]) -> sv.Detections:
        """Find faces again where they were a moment ago, in a tenth of the time.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where the faces were, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, as a call gives them; a face that is not
            found near its old place is not among them.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        found = [
            place.restore(_search(self._front, place.grey, _NEAR_SIZES))
            for place in _places(frame, xyxy)
        ]
        return sv.Detections(_without_doubles(found))

    def everywhere(
        self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.floating]
    ) -> sv.Detections:
        """Find the faces of a frame, and once more where some were: it finds most, and costs most.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            xyxy: Where faces were a moment ago, in pixels, shape (n, 4).

        Returns:
            Detections with `xyxy`, as a call gives them.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        searches = [self(frame), self.near(frame, xyxy)]
        found = [np.asarray(faces.xyxy, np.float32) for faces in searches]
        return sv.Detections(_without_doubles(found))

    def turned(self, frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.floating]) -> sv.Detections:
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
        for place in _places(frame, xyxy):
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
            _search(self._profile, picture, _NEAR_SIZES, _MIN_PROFILE_NEIGHBORS)
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


def _places(frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.floating]) -> Iterator[_Place]:
    """Cut out where faces were, each with as much room round it as half a face."""
    height, width = frame.shape[:2]
    for x1, y1, x2, y2 in xyxy:
        margin = (x2 - x1) / 2
        left, top = max(0, round(x1 - margin)), max(0, round(y1 - margin))
        right, bottom = min(width, round(x2 + margin)), min(height, round(y2 + margin))
        if right > left and bottom > top:
            scale = min(1.0, NEAR_SIDE / (x2 - x1))
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
    cascade: Any,
    grey: npt.NDArray[np.uint8],
    sizes: tuple[int, int],
    neighbors: int = _MIN_NEIGHBORS,
) -> Boxes:
    """Run a cascade; return boxes in pixels of the picture, float32 of shape (n, 4).

    `sizes` are the least and the largest side of a face, 0 for any.
    """
    least, most = sizes
    boxes = cascade.detectMultiScale(
        grey, _SCALE_STEP, neighbors, minSize=(least, least), maxSize=(most, most)
    )
    return np.asarray(sv.xywh_to_xyxy(np.asarray(boxes, np.float32).reshape(-1, 4)), np.float32)


def _without_doubles(found: list[Boxes]) -> Boxes:
    """Put boxes together, each face's only once."""
    boxes = np.concatenate([np.empty((0, 4), np.float32), *found])
    if len(boxes) < 2:
        return boxes
    ranked = np.column_stack([boxes, np.ones(len(boxes), np.float32)])
    return boxes[sv.box_non_max_suppression(ranked, iou_threshold=_SAME_FACE_IOU)]

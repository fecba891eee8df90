"""Where did a known face go? For a moment, what it looked like says so."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.places import Boxes, find_places

CARRY_S = 0.2
"""Seconds for which a face is carried on until a search has to find it again."""

_FAR = 0.25  # of its side: so far from where it was found it has to be searched again

ALIKE = 0.93
"""Normalized correlation (`cv2.TM_CCOEFF_NORMED`) from which on a place shows the same face. One
that only moved is above it, mostly even in noise; one that grows by 6 % a frame is mostly below."""

NEARLY_ALIKE = 0.85
"""The same from which on the face is there, and a search has to say where exactly."""

TEMPLATE_SIDE = 24
"""Side to which faces are scaled to be compared, in pixels."""

_ROOM = 8 / TEMPLATE_SIDE  # of a face's side, and whole pixels: whoever is faster is searched


class _Template(NamedTuple):
    """A face as a search found it, small and grey, and where it is now, some frames later."""

    picture: npt.NDArray[np.uint8]
    box: Boxes
    face: int
    tilt: float
    found: Boxes
    found_s: float
    alike: float = 1.0

    def lasts(self, time_s: float) -> bool:
        """Whether no search is due yet."""
        near = np.abs(self.box - self.found).max() <= _FAR * (self.box[2] - self.box[0])
        young = time_s - self.found_s <= CARRY_S
        return bool(near) and young and self.alike >= ALIKE


class FaceCarrier:
    """Carries faces on from frame to frame by matching templates, at a fraction of a search's cost.

    It finds a face that moved. Where one grew it says where to search; one that
    turned, left or was covered it does not find.
    """

    def __init__(self) -> None:
        self._templates: list[_Template] = []

    def __call__(
        self, frame: npt.NDArray[np.uint8], time_s: float
    ) -> tuple[sv.Detections, sv.Detections]:
        """Say where the faces are that were found a moment ago and still look so.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            time_s: When it was taken, in seconds.

        Returns:
            Those that are carried on, and those that a search has to find again
            by now, each with `xyxy` in pixels, `tracker_id` and in `data` ``tilt``.
        """
        moved = [there for one in self._templates if (there := _match(frame, one))]
        self._templates = [one for one in moved if one.lasts(time_s)]
        due = [one for one in moved if not one.lasts(time_s)]
        return _faces(self._templates), _faces(due)

    def keep(self, frame: npt.NDArray[np.uint8], faces: sv.Detections, time_s: float) -> None:
        """Remember what faces look like that are not carried: a search has found them.

        A face that turned out to be another one, or none, is carried no longer.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            faces: All that were found, with `xyxy` in pixels, `tracker_id` and in
                `data` ``tilt``, as of `fer.detection.HaarFaceDetector.tilted`.
            time_s: When the frame was taken, in seconds.
        """
        carried = {one.face: one for one in self._templates}
        templates = []
        ids, tilts = np.asarray(faces.tracker_id), np.asarray(faces.data["tilt"])
        for face, tilt, box in zip(ids.tolist(), tilts.tolist(), faces.xyxy, strict=True):
            one = carried.get(face)
            if one is None or not np.array_equal(one.box, box):
                picture = _cut(frame, box)
                one = None
                if picture is not None:
                    one = _Template(picture, box, face, tilt, box, time_s)
            if one:
                templates.append(one)
        self._templates = templates


def _faces(templates: list[_Template]) -> sv.Detections:
    boxes = np.array([one.box for one in templates], np.float32).reshape(-1, 4)
    return sv.Detections(
        boxes,
        tracker_id=np.array([one.face for one in templates], int),
        data={"tilt": np.array([one.tilt for one in templates], float)},
    )


def _cut(frame: npt.NDArray[np.uint8], box: Boxes) -> npt.NDArray[np.uint8] | None:
    """Scale a box down to a template's picture, if it lies within the frame."""
    for place in find_places(frame, [box], TEMPLATE_SIDE, _ROOM):
        left, top = np.rint(place.middle - TEMPLATE_SIDE / 2).astype(int).clip(0)
        picture = place.grey[top : top + TEMPLATE_SIDE, left : left + TEMPLATE_SIDE]
        if picture.shape == (TEMPLATE_SIDE, TEMPLATE_SIDE):
            return picture
    return None


def _match(frame: npt.NDArray[np.uint8], template: _Template) -> _Template | None:
    """Find a template near its box."""
    for place in find_places(frame, [template.box], TEMPLATE_SIDE, _ROOM):
        if min(place.grey.shape) >= TEMPLATE_SIDE:
            alike = cv2.matchTemplate(place.grey, template.picture, cv2.TM_CCOEFF_NORMED)
            _, most, _, corner = cv2.minMaxLoc(alike)
            if most >= NEARLY_ALIKE:
                box = place.restore(np.array([*corner, *np.add(corner, TEMPLATE_SIDE)], np.float32))
                return template._replace(box=box, alike=most)
    return None

"""Where is a face?"""

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.preprocessing import validate_frame

CASCADE = "haarcascade_frontalface_alt2.xml"
"""File of the cascade, among those that come with OpenCV."""

SEARCH_SIDE = 320
"""Longer side of the picture that a full search looks through, in pixels."""

NEAR_SIDE = 40
"""Side to which `near` scales the face that it looks for, in pixels."""

_SCALE_STEP = 1.1
_MIN_NEIGHBORS = 4
_MIN_SIDE = 24  # pixels of the scaled picture: 48 of a 640×480 frame
_NEAR_SIZES = (28, 56)  # pixels: a face grows or shrinks by 1.4 between two frames at most
_SAME_FACE_IOU = 0.4
_MEAN_LEVEL = 128  # grey level to which a darker picture is lifted


class HaarFaceDetector:
    """Finds upright faces that look at the camera (Viola and Jones 2001).

    Belongs to one thread: an OpenCV cascade is not safe in two.
    """

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)  # type: ignore[attr-defined]

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
        scale = min(1.0, SEARCH_SIDE / max(frame.shape[:2]))
        return sv.Detections(xyxy=self._search(frame, scale, (_MIN_SIDE, None)))

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
        height, width = frame.shape[:2]
        found = [np.empty((0, 4), np.float32)]
        for x1, y1, x2, y2 in xyxy:
            margin = (x2 - x1) / 2
            left, top = max(0, round(x1 - margin)), max(0, round(y1 - margin))
            right, bottom = min(width, round(x2 + margin)), min(height, round(y2 + margin))
            if right > left and bottom > top:
                scale = min(1.0, NEAR_SIDE / (x2 - x1))
                boxes = self._search(frame[top:bottom, left:right], scale, _NEAR_SIZES)
                found.append(boxes + np.array([left, top, left, top], np.float32))
        boxes = np.concatenate(found)
        ranked = np.column_stack([boxes, np.ones(len(boxes), np.float32)])
        kept = sv.box_non_max_suppression(ranked, iou_threshold=_SAME_FACE_IOU)
        return sv.Detections(xyxy=boxes[kept])

    def _search(
        self, frame: npt.NDArray[np.uint8], scale: float, sizes: tuple[int, int | None]
    ) -> npt.NDArray[np.float32]:
        """Search a scaled copy; return boxes in pixels of the frame, shape (n, 4)."""
        height, width = frame.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # Scaled before it turns grey: fewer pixels to convert.
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        # A dark picture is lifted by a plain gain: to equalize the histogram loses small faces.
        gain = max(1.0, _MEAN_LEVEL / max(1.0, float(grey.mean())))
        least, most = sizes
        boxes = self._cascade.detectMultiScale(
            cv2.convertScaleAbs(grey, alpha=gain),
            _SCALE_STEP,
            _MIN_NEIGHBORS,
            minSize=(least, least),
            maxSize=(most, most) if most else (0, 0),
        )
        xywh = np.asarray(boxes, np.float32).reshape(-1, 4) / np.float32(scale)
        return np.asarray(sv.xywh_to_xyxy(xywh), np.float32)

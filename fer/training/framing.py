"""How our detector frames a face, and how FER-2013 does.

A picture of FER-2013 is all face. Pasted into a larger frame it can be found
again as the apps would find it, and the box that comes back told apart from
the picture's own edges: how much larger or smaller, and how far beside.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fer.detection import HaarFaceDetector
from fer.preprocessing import crop_faces

FRAME_SIZE = (640, 480)
"""Width and height of the frames, in pixels: those of a camera."""

SIDES = (100, 240)
"""Least and greatest side of a pasted picture, in pixels."""


@dataclass(frozen=True)
class Refound:
    """What came back of n pasted pictures.

    Attributes:
        found: Which were found at all, bool of shape (n,). FER-2013 cuts many
            faces so close that a cascade misses what is round them.
        faces: Those that were found, cropped as the apps crop: grey, uint8 of
            shape (m, 48, 48).
        offsets: From the middle of the picture to that of its box, right and
            down, as shares of the picture's side, shape (m, 2).
        scales: Side of the box over that of the picture, shape (m,).
    """

    found: npt.NDArray[np.bool_]
    faces: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.float64]
    scales: npt.NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """Return the medians and spreads that cropping and augmentation are fitted to."""
        found = {"found": float(self.found.mean())}
        if not self.found.any():
            return found
        return found | {
            "scale_median": float(np.median(self.scales)),
            "scale_std": float(np.log(self.scales).std()),
            "offset_right_median": float(np.median(self.offsets[:, 0])),
            "offset_down_median": float(np.median(self.offsets[:, 1])),
            "offset_std": float(self.offsets.std()),
        }


def refind(faces: npt.NDArray[np.uint8], seed: int = 0) -> Refound:
    """Paste each picture into a frame of its own, and look for it there.

    Args:
        faces: Grey faces, uint8 of shape (n, 48, 48).
        seed: Seed of the places and sizes.
    """
    detector = HaarFaceDetector()
    random = np.random.default_rng(seed)
    found = np.zeros(len(faces), bool)
    crops, offsets, scales = [], [], []
    for index, face in enumerate(faces):
        frame, (left, top, side) = _paste(face, random)
        boxes = detector(frame).xyxy.astype(float)
        if len(boxes) == 0:
            continue
        beside = (boxes[:, :2] + boxes[:, 2:]) / 2 - (left + side / 2, top + side / 2)
        nearest = int(np.abs(beside).sum(axis=1).argmin())
        found[index] = True
        crops.append(crop_faces(frame, boxes[nearest : nearest + 1]))
        offsets.append(beside[nearest] / side)
        scales.append((boxes[nearest, 2] - boxes[nearest, 0]) / side)
    return Refound(
        found,
        np.concatenate(crops) if crops else np.empty((0, 48, 48), np.uint8),
        np.array(offsets).reshape(-1, 2),
        np.array(scales),
    )


def _paste(
    face: npt.NDArray[np.uint8], random: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int]]:
    """Put a picture on plain grey; return the frame, and left, top and side of the picture."""
    width, height = FRAME_SIZE
    side = int(random.integers(*SIDES))
    left, top = int(random.integers(width - side)), int(random.integers(height - side))
    grey = np.full((height, width), round(face.mean()), np.uint8)
    grey[top : top + side, left : left + side] = cv2.resize(
        face, (side, side), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8), (left, top, side)

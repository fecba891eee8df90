"""From a frame to the expressions of its faces."""

import math
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.classification import ExpressionClassifier, attend
from fer.detection import PHOTO_SEARCH_SIDE, SEARCH_SIDE, HaarFaceDetector
from fer.expressions import EXPRESSION_NAMES, FaceState
from fer.following import FaceFollower
from fer.places import straighten
from fer.preprocessing import crop_faces, validate_frame
from fer.smoothing import LabelHolder, ScoreSmoother

UNSURE_BELOW = 0.4
"""Probability under which a label is not said for sure."""

DARK_BELOW = 40.0
"""Mean grey level of a face, of 255, under which it is too dark."""

DARK_FRAME_BELOW = 25.0
"""Median grey level of a frame, of 255, under which a face may be there and not be found."""

SMALL_BELOW = 40.0
"""Side of a face, in pixels, under which there is less to see than the network knows."""

_LEAST_FRAME_S = 1 / 120  # that a frame counts for, where time stands still


class ExpressionPipeline:
    """Finds faces, follows them and names their expressions.

    Belongs to one stream, and to one thread at a time: it remembers the
    stream's faces, and a cascade is not safe in two threads.

    Examples:
        >>> import skimage.data
        >>> pipeline = ExpressionPipeline(live=False)
        >>> astronaut = skimage.data.astronaut()[..., ::-1].copy()  # RGB to BGR
        >>> pipeline(astronaut).data["class_name"].tolist()
        ['happy']

    Args:
        model: A ``.tflite`` file or the folder of a model; by default what the
            environment variable ``FER_MODEL`` says, else the shipped model.
        live: Follow faces from frame to frame and smooth their scores. Off,
            every frame stands for itself: for photographs.
        search_always: Search the whole of every frame, at several times the cost
            (``benchmarks/pipeline.py``), and keep the box of a face that is missed
            for `fer.tracking.FORGET_S`: for faces that are to be hidden, from the
            first frame they are in.

    Attributes:
        search_always: As above; it may be changed between two frames.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """

    def __init__(
        self, model: str | Path | None = None, *, live: bool = True, search_always: bool = False
    ) -> None:
        self.detector = HaarFaceDetector(SEARCH_SIDE if live else PHOTO_SEARCH_SIDE)
        self.classifier = ExpressionClassifier(model)
        self._live = live
        self.search_always = search_always
        self.reset()

    def reset(self) -> None:
        """Forget the faces seen so far: another stream begins."""
        self.follower = FaceFollower(self.detector)
        self.smoother = ScoreSmoother()
        self.holder = LabelHolder()
        self._given_s, self._ahead_s = -math.inf, 0.0

    def __call__(self, frame: npt.NDArray[np.uint8], time_s: float | None = None) -> sv.Detections:
        """Read one frame.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            time_s: When the frame was taken, in seconds; by default now. A
                file's frames want their own times. A time before the last
                frame's begins another stream; the same again counts for 1/120 s.

        Returns:
            A row for each face, with `xyxy` in pixels; `tracker_id`, which lasts
            while the face is in view (−1 at first sight, None if not live);
            `class_id`, index into `fer.EXPRESSIONS`; `confidence`, the
            probability of that class; and in `data`: ``class_name``, ``scores``
            (float32, n×7), ``state`` (a `FaceState`) and ``attention`` (float32,
            n×6×6 of the shipped network, as `fer.classification.attend` makes it;
            zeros while the face is not read, or where the network has none). The
            keys are there even when there is no face. A live label stays until
            another one has won for a moment (`fer.smoothing`), so that it need not
            be the likeliest of this frame.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        if not self._live:
            return self._read_photo(frame)
        time_s = self._advance(time.monotonic() if time_s is None else time_s)
        faces = self.follower(frame, time_s, search_always=self.search_always)
        ids, read = np.asarray(faces.tracker_id), faces.data["read"]
        crops = straighten(crop_faces(frame, faces.xyxy), faces.data["tilt"])
        scores = np.full((len(faces), len(EXPRESSION_NAMES)), np.nan, np.float32)
        maps = np.zeros((len(faces), *self.classifier.maps_shape), np.float32)
        scores[read], maps[read] = self.classifier.read(crops[read])
        scores = self.smoother(scores, ids, time_s)
        labels = self.holder(scores, ids, time_s)
        return _described(faces, crops, labels, scores, maps)

    def _advance(self, time_s: float) -> float:
        """Take in a frame's time; return the stream's own, which does not stand still."""
        if time_s < self._given_s:  # a film begins again
            self.reset()
        if time_s == self._given_s:
            self._ahead_s += _LEAST_FRAME_S
        self._given_s = time_s
        return time_s + self._ahead_s

    def _read_photo(self, frame: npt.NDArray[np.uint8]) -> sv.Detections:
        faces = self.detector(frame)
        crops = crop_faces(frame, faces.xyxy)
        scores, maps = self.classifier.read(crops)
        return _described(faces, crops, scores.argmax(axis=1), scores, maps)


def is_too_dark(frame: npt.NDArray[np.uint8]) -> bool:
    """Whether a frame in which no face was found is too dark to find one.

    Args:
        frame: BGR image, uint8 of shape (H, W, 3).

    Raises:
        ValueError: Another dtype or shape, or no pixels.
    """
    validate_frame(frame)
    # The median: a lamp or a screen lights no face that is turned away from it.
    return bool(np.median(frame[::8, ::8].mean(axis=2)) < DARK_FRAME_BELOW)


def _described(
    faces: sv.Detections,
    crops: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int_],
    scores: npt.NDArray[np.float32],
    maps: npt.NDArray[np.float32],
) -> sv.Detections:
    """Add to the boxes what the scores say: the one place that knows the schema of `data`."""
    confidence = scores[np.arange(len(labels)), labels]
    tilts = np.asarray(faces.data.get("tilt", np.zeros(len(faces))))
    sides = (faces.xyxy[:, 2:] - faces.xyxy[:, :2]).max(axis=1, initial=0)
    state = np.select(
        [
            np.asarray(faces.data.get("turned", np.zeros(len(faces))), bool),
            sides < SMALL_BELOW,
            crops.mean(axis=(1, 2)) < DARK_BELOW,
            confidence < UNSURE_BELOW,
        ],
        [FaceState.TURNED, FaceState.SMALL, FaceState.DARK, FaceState.UNSURE],
        FaceState.OK,
    )
    return sv.Detections(
        xyxy=faces.xyxy,
        confidence=confidence,
        class_id=labels,
        tracker_id=faces.tracker_id,
        data={
            "class_name": np.array(EXPRESSION_NAMES)[labels],
            "scores": scores,
            "state": state,
            "attention": _turned_back(attend(maps, labels), tilts),
        },
    )


def _turned_back(
    attention: npt.NDArray[np.float32], tilts: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """Lay the attention of straightened crops over the faces as they are tilted, 0 to 1 again."""
    turned = straighten(attention, -tilts)
    most = turned.max(axis=(1, 2), keepdims=True, initial=0)  # less: to turn it blurs it
    return np.asarray(turned / np.where(most > 0, most, 1), np.float32)

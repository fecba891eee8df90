"""From a frame to the expressions of its faces."""

import math
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.classification import ExpressionClassifier
from fer.detection import HaarFaceDetector
from fer.expressions import EXPRESSION_NAMES, FaceState
from fer.preprocessing import crop_faces, validate_frame
from fer.tracking import FaceTracker, ScoreSmoother

UNSURE_BELOW = 0.4
"""Probability under which a label is not said for sure."""

DARK_BELOW = 40.0
"""Mean grey level of a face, of 255, under which it is too dark."""

SMALL_BELOW = 40.0
"""Side of a face, in pixels, under which there is less to see than the network knows."""

FULL_SEARCH_S = 0.5
"""Seconds between two searches of the whole frame while every known face is found again."""

EMPTY_SEARCH_S = 0.1
"""Seconds between two searches of the whole frame while there is no face."""


class ExpressionPipeline:
    """Finds faces, follows them and names their expressions.

    Belongs to one stream, and to one thread at a time: it remembers the
    stream's faces, and neither its cascade nor its interpreter is safe in two
    threads.

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
        search_always: Search the whole of every frame, at ten times the cost:
            for faces that are to be hidden, from the first frame they are in.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """

    def __init__(
        self, model: str | Path | None = None, *, live: bool = True, search_always: bool = False
    ) -> None:
        self.detector = HaarFaceDetector()
        self.classifier = ExpressionClassifier(model)
        self._live = live
        self._search_always = search_always
        self.reset()

    def reset(self) -> None:
        """Forget the faces seen so far: another stream begins."""
        self.tracker = FaceTracker()
        self.smoother = ScoreSmoother()
        self._searched_s = self._seen_s = -math.inf

    def __call__(self, frame: npt.NDArray[np.uint8], time_s: float | None = None) -> sv.Detections:
        """Read one frame.

        Args:
            frame: BGR image, uint8 of shape (H, W, 3).
            time_s: When the frame was taken, in seconds; by default now. A
                file's frames want their own times. A time before the last
                frame's begins another stream.

        Returns:
            A row for each face, with `xyxy` in pixels; `tracker_id`, which lasts
            while the face is in view (−1 at first sight, None if not live);
            `class_id`, index into `fer.EXPRESSIONS`; `confidence`, the
            probability of that class; and in `data`: ``class_name``, ``scores``
            (float32, n×7) and ``state`` (a `FaceState`). The keys are there
            even when there is no face.

        Raises:
            ValueError: Another dtype or shape, or no pixels.
        """
        validate_frame(frame)
        if not self._live:
            faces = self.detector(frame)
            crops = crop_faces(frame, faces.xyxy)
            return _described(faces, crops, self.classifier(crops))
        time_s = time.monotonic() if time_s is None else time_s
        if time_s < self._seen_s:  # a film begins again
            self.reset()
        self._seen_s = time_s
        faces = self._follow(frame, time_s)
        crops = crop_faces(frame, faces.xyxy)
        scores = self.smoother(self.classifier(crops), np.asarray(faces.tracker_id), time_s)
        return _described(faces, crops, scores)

    def _follow(self, frame: npt.NDArray[np.uint8], time_s: float) -> sv.Detections:
        """Look where the faces were, and through the whole frame only when that is due.

        It is due after a while, and at once if a face was not found again.
        """
        known = self.tracker.known
        age_s = time_s - self._searched_s
        if self._search_always:
            pass
        elif len(known) and age_s < FULL_SEARCH_S:
            found = self.detector.near(frame, known)
            if len(found) == len(known):
                return self.tracker(found, time_s)
        elif age_s < EMPTY_SEARCH_S:
            return sv.Detections(np.empty((0, 4), np.float32), tracker_id=np.empty(0, int))
        self._searched_s = time_s
        return self.tracker(self.detector(frame), time_s)


def _described(
    faces: sv.Detections, crops: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]
) -> sv.Detections:
    """Add to the boxes what the scores say: the one place that knows the schema of `data`."""
    class_id = scores.argmax(axis=1)
    confidence = scores.max(axis=1, initial=0)
    sides = (faces.xyxy[:, 2:] - faces.xyxy[:, :2]).max(axis=1, initial=0)
    state = np.select(
        [
            sides < SMALL_BELOW,
            crops.mean(axis=(1, 2)) < DARK_BELOW,
            confidence < UNSURE_BELOW,
        ],
        [FaceState.SMALL, FaceState.DARK, FaceState.UNSURE],
        FaceState.OK,
    )
    return sv.Detections(
        xyxy=faces.xyxy,
        confidence=confidence,
        class_id=class_id,
        tracker_id=faces.tracker_id,
        data={
            "class_name": np.array(EXPRESSION_NAMES)[class_id],
            "scores": scores,
            "state": state,
        },
    )

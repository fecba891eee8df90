"""What has a face shown over the last moments?"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer.tracking import FORGET_S, UNKNOWN_ID

TIME_CONSTANT_S = 0.15
"""Seconds after which an old score still counts 37 %."""

LEAD_S = 0.02
"""By how much, times how long, another label has to lead before it is taken: a lead of 0.5 takes
40 ms."""

_LONGEST_STEP_S = 0.1  # a longer gap is one in which the face was not seen

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]


class ScoreSmoother:
    """Averages the scores of each face over the last moments, apart from all others.

    The average is exponential in time, not in frames, so that it feels the
    same at 10 and at 60 frames a second. A face that was out of sight for less
    than `fer.tracking.FORGET_S` goes on from its old average.

    Args:
        time_constant_s: Seconds after which an old score still counts 37 %.
    """

    def __init__(self, time_constant_s: float = TIME_CONSTANT_S) -> None:
        self._time_constant_s = time_constant_s
        self._faces: dict[int, tuple[float, Floats]] = {}

    def __call__(self, scores: Floats, ids: Ids, time_s: float) -> Floats:
        """Smooth the scores of one frame.

        Args:
            scores: Probabilities, shape (n, 7); a row of NaN is a face that
                could not be read now: its average stays.
            ids: The faces' ids, shape (n,). `UNKNOWN_ID` is passed through.
            time_s: Time of the frame in seconds.

        Returns:
            Probabilities, float32 of shape (n, 7); each row still sums to 1.
        """
        self._faces = {
            face: kept for face, kept in self._faces.items() if time_s - kept[0] <= FORGET_S
        }
        smoothed = scores.copy()
        for row, face in enumerate(ids.tolist()):
            if face == UNKNOWN_ID:
                continue
            if face in self._faces:
                before_s, average = self._faces[face]
                step_s = min(max(0.0, time_s - before_s), _LONGEST_STEP_S)
                old = math.exp(-step_s / self._time_constant_s)
                smoothed[row] = old * average + (1 - old) * scores[row]
                if np.isnan(scores[row]).any():
                    smoothed[row] = average
            self._faces[face] = (time_s, smoothed[row])
        return smoothed


@dataclass
class _Held:
    """A face's label, and the lead that others have gathered over it."""

    label: int
    time_s: float
    lead_s: float = 0.0


class LabelHolder:
    """Keeps the label of each face until another one has won for a moment.

    The lead of the likeliest other label is summed up over time, and what the
    held one leads by is taken off again: the cumulative sum by which Page
    (1954) tells a change from noise. So a clear change shows soon, and two
    labels that are nearly as likely do not take turns.

    Args:
        lead_s: The sum at which the label changes: a lead in probability,
            times seconds.
    """

    def __init__(self, lead_s: float = LEAD_S) -> None:
        self._lead_s = lead_s
        self._faces: dict[int, _Held] = {}

    def __call__(self, scores: Floats, ids: Ids, time_s: float) -> npt.NDArray[np.int_]:
        """Name what each face shows.

        Args:
            scores: Smoothed probabilities, shape (n, 7).
            ids: The faces' ids, shape (n,). `UNKNOWN_ID` gets its likeliest label.
            time_s: Time of the frame in seconds.

        Returns:
            Class ids, shape (n,).
        """
        self._faces = {
            face: held for face, held in self._faces.items() if time_s - held.time_s <= FORGET_S
        }
        labels = np.asarray(scores.argmax(axis=1), int)
        for row, face in enumerate(ids.tolist()):
            if face != UNKNOWN_ID:
                held = self._faces.setdefault(face, _Held(int(labels[row]), time_s))
                labels[row] = self._decide(held, scores[row], time_s)
        return labels

    def _decide(self, held: _Held, scores: Floats, time_s: float) -> int:
        step_s = min(max(0.0, time_s - held.time_s), _LONGEST_STEP_S)
        lead = np.delete(scores, held.label).max() - scores[held.label]
        held.lead_s, held.time_s = max(0.0, held.lead_s + float(lead) * step_s), time_s
        if held.lead_s >= self._lead_s:
            held.label, held.lead_s = int(scores.argmax()), 0.0
        return held.label

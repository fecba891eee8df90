"""What the viewers of the page are sent: a picture as JPEG, and what it shows as JSON."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from fer.annotation import describe
from fer.errors import SourceError
from fer.expressions import EXPRESSION_NAMES
from fer.playback import Played
from fer.returning import no_picture
from fer.rows import make_rows

_JPEG_QUALITY = 80  # of 100


class State(StrEnum):
    """What the source does."""

    CLOSED = "closed"
    OPENING = "opening"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True)
class View:
    """What all viewers are shown at a moment.

    Attributes:
        state: `State.LIVE` or `State.LOST`.
        jpeg: The annotated frame, or a picture that says that there is none.
        result: JSON: ``state``, and of a frame ``time`` in seconds, ``size``
            (width and height) and ``faces``.
    """

    state: State
    jpeg: bytes
    result: str

    @classmethod
    def live(cls, played: Played) -> Self:
        """Show a frame."""
        return cls(State.LIVE, _jpeg(played.scene), _result(played))

    @classmethod
    def lost(cls, size: tuple[int, int]) -> Self:
        """Show that there is no picture, in one of a width and height in pixels."""
        return cls(State.LOST, _jpeg(no_picture(size)), json.dumps({"state": State.LOST}))


def _result(played: Played) -> str:
    height, width = played.scene.shape[:2]
    texts = describe(played.detections)
    rows = make_rows(played.detections, source="")  # no face is one row too
    faces: list[dict[str, Any]] = [
        {
            "face": row["face"],
            "box": [row[edge] for edge in ("x1", "y1", "x2", "y2")],
            **{key: row[key] for key in ("expression", "confidence", "state")},
            "text": text,
            "scores": {name: row[name] for name in EXPRESSION_NAMES},
        }
        for row, text in zip(rows, texts, strict=False)
    ]
    time_s = round(played.time_s, 3)
    return json.dumps(
        {"state": State.LIVE, "time": time_s, "size": [width, height], "faces": faces}
    )


def _jpeg(scene: npt.NDArray[np.uint8]) -> bytes:
    encoded, data = cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise SourceError("OpenCV cannot write this frame as JPEG.")
    return data.tobytes()

"""How a result is drawn on a frame."""

import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.expressions import EXPRESSION_NAMES, EXPRESSIONS, FaceState

_PALETTE = sv.ColorPalette.from_hex([expression.color for expression in EXPRESSIONS])
_REASONS = {FaceState.DARK: "too dark", FaceState.SMALL: "too small"}


class ExpressionAnnotator:
    """Frames each face and writes its expression beside it.

    Args:
        frame_height: Height of the frames in pixels; lines and letters are
            sized for it.
    """

    def __init__(self, frame_height: int = 480) -> None:
        scale = max(frame_height, 240) / 480
        self._box = sv.BoxAnnotator(color=_PALETTE, thickness=max(1, round(2 * scale)))
        self._label = sv.LabelAnnotator(
            color=_PALETTE,
            text_color=sv.Color.BLACK,
            text_scale=0.6 * scale,
            text_thickness=max(1, round(1.2 * scale)),
            text_padding=max(3, round(6 * scale)),
        )

    def annotate(
        self, scene: npt.NDArray[np.uint8], detections: sv.Detections
    ) -> npt.NDArray[np.uint8]:
        """Draw a result.

        Args:
            scene: BGR image, uint8 of shape (H, W, 3); it is drawn on.
            detections: What `fer.ExpressionPipeline` says of it.

        Returns:
            The scene.
        """
        if len(detections):
            self._box.annotate(scene, detections)
            self._label.annotate(scene, detections, labels=describe(detections))
        return scene


def describe(detections: sv.Detections) -> list[str]:
    """Say in a few words what each face shows, or why that cannot be said.

    Args:
        detections: What `fer.ExpressionPipeline` returned.

    Returns:
        One text a face: ``happy 93 %``, ``unsure: sad or fear``, ``too dark``.
    """
    texts = []
    for row, state in enumerate(detections.data["state"]):
        scores = detections.data["scores"][row]
        first, second = np.argsort(scores)[:-3:-1]
        if state == FaceState.UNSURE:
            texts.append(f"unsure: {EXPRESSION_NAMES[first]} or {EXPRESSION_NAMES[second]}")
        else:
            certain = f"{EXPRESSION_NAMES[first]} {scores[first]:.0%}".replace("%", " %")
            texts.append(_REASONS.get(state, certain))
    return texts

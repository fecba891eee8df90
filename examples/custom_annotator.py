"""Draw the scores under each face: python examples/custom_annotator.py portrait.jpg."""

import sys
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone need not be installed

from fer import EXPRESSIONS, ExpressionPipeline, FerError
from fer.pictures import read_picture, write_picture


class ScoreBarsAnnotator:
    """Draws the seven scores of each face as bars under its box."""

    def annotate(self, scene: np.ndarray, detections: sv.Detections) -> np.ndarray:
        """Draw on a BGR image, uint8 of shape (H, W, 3), and return it."""
        every_face = zip(detections.xyxy, detections.data["scores"], strict=True)
        for (left, _, right, bottom), scores in every_face:
            step, height = (right - left) / len(EXPRESSIONS), (right - left) / 2
            for place, (expression, score) in enumerate(zip(EXPRESSIONS, scores, strict=True)):
                x1, x2 = round(left + place * step), round(left + (place + 0.8) * step)
                y1, y2 = round(bottom + (1 - score) * height - 1), round(bottom + height)
                color = sv.Color.from_hex(expression.color).as_bgr()
                cv2.rectangle(scene, (x1, y1), (x2, y2), color, thickness=-1)
        return scene


def main(picture: Path) -> None:
    """Write PICTURE with supervision's own marks and with our bars beside it."""
    scene = read_picture(picture)
    faces = ExpressionPipeline(live=False)(scene)
    for annotator in (sv.BoxCornerAnnotator(), sv.LabelAnnotator(), ScoreBarsAnnotator()):
        scene = annotator.annotate(scene, faces)
    target = picture.with_name(f"{picture.stem}-scores.png")
    write_picture(target, scene)
    print(f"Faces found: {len(faces)}; see {target}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except FerError as error:
        sys.exit(str(error))

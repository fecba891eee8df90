"""Name the expressions on a photograph: python examples/photograph.py portrait.jpg."""

import sys
from pathlib import Path

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone need not be installed

from fer import EXPRESSIONS, ExpressionAnnotator, ExpressionPipeline, FerError
from fer.pictures import read_picture, write_picture


def main(picture: Path) -> None:
    """Write PICTURE with its faces framed beside it, and print their scores."""
    photograph = read_picture(picture)
    # live=False: every picture stands for itself, without memory of the one before.
    faces = ExpressionPipeline(live=False)(photograph)
    for box, scores in zip(faces.xyxy.round().astype(int), faces.data["scores"], strict=True):
        ranked = sorted(zip(scores, EXPRESSIONS, strict=True), reverse=True)
        print(*box, *(f"{expression.name} {score:.0%}" for score, expression in ranked), sep="  ")

    target = picture.with_name(f"{picture.stem}-faces.png")
    write_picture(target, ExpressionAnnotator(photograph.shape[0]).annotate(photograph, faces))
    print(f"Faces found: {len(faces)}; see {target}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except FerError as error:
        sys.exit(str(error))

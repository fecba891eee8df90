"""Say when a face changes its expression: python examples/webcam_loop.py 0 (or a video file)."""

import sys
from pathlib import Path

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone need not be installed

from fer import ExpressionPipeline, FaceState, FerError
from fer.media import open_source
from fer.tracking import UNKNOWN_ID


def main(source: str) -> None:
    """Print every change of expression in SOURCE: a camera's number, a video file or a URL."""
    pipeline = ExpressionPipeline()
    shown: dict[int, str] = {}
    with open_source(source) as frames:
        for frame, time_s in frames:
            faces = pipeline(frame, time_s)
            # A new face gets its number with the second look; an unsure one is no change.
            faces = faces[(faces.tracker_id != UNKNOWN_ID) & (faces.data["state"] == FaceState.OK)]
            for face, name in zip(faces.tracker_id, faces.data["class_name"], strict=True):
                if shown.get(face) != name:
                    shown[face] = name
                    print(f"{time_s:7.1f} s  face {face}  {name}", flush=True)


if __name__ == "__main__":
    try:
        typer.run(main)
    except FerError as error:
        sys.exit(str(error))

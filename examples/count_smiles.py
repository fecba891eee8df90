"""Count the smiles in a video: python examples/count_smiles.py party.mp4."""

import sys
from collections import Counter
from pathlib import Path

import supervision as sv
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone need not be installed

from fer import ExpressionPipeline, FaceState, FerError
from fer.media import open_source
from fer.tracking import UNKNOWN_ID


class SmileCounter:
    """Counts smiles by face: a smile lasts until the same face surely shows something else."""

    def __init__(self) -> None:
        self.smiles: Counter[int] = Counter()
        self._smiling: set[int] = set()

    def trigger(self, detections: sv.Detections) -> None:
        """Look at the next frame, as the zones of supervision do."""
        known = detections[detections.tracker_id != UNKNOWN_ID]
        sure = known[known.data["state"] == FaceState.OK]
        happy = set(sure[sure.data["class_name"] == "happy"].tracker_id.tolist())
        self.smiles.update(happy - self._smiling)
        self._smiling = self._smiling - set(sure.tracker_id.tolist()) | happy


def main(video: str) -> None:
    """Count the smiles of each face in VIDEO."""
    pipeline, counter = ExpressionPipeline(), SmileCounter()
    with open_source(video) as frames:
        for frame, time_s in frames:
            counter.trigger(pipeline(frame, time_s))
    for face, count in sorted(counter.smiles.items()):
        print(f"face {face}: {count}")
    print(f"Smiles: {counter.smiles.total()}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except FerError as error:
        sys.exit(str(error))

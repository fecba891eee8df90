"""How many of the faces that a full search finds the live path has too, by what happens to them.

    python -m benchmarks.recall [--seconds 4] [--fps 15] [--seeds 2] [--only WORD ...]

The videos are generated, and the faces' places in them known. What counts is a
face that OpenCV finds in the full picture of 640×480 (the same cascade, all its
defaults): ours has it too if a box lies on OpenCV's with an intersection over
union of 0.5 or more. A box that lies on no face is a false one. Needs the extra
`dev`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common import SIZE, Frame
from fer import ExpressionPipeline
from fer.detection import CASCADE
from tests.synthetic import Face, FaceVideo

ASTRONAUT, HOPPER = Face("astronaut"), Face("hopper")
PEOPLE = (ASTRONAUT, HOPPER)
PLACES = ((110, 120), (320, 110), (530, 120), (110, 350), (320, 360), (530, 350))
ON_FACE_IOU, BESIDE_IOU = 0.4, 0.2  # of a box and the known one
SAME_BOX_IOU = 0.5  # of our box and OpenCV's

Boxes = npt.NDArray[np.float32]


def blur(frame: Frame, share: float) -> Frame:
    """Blur with a Gaussian of up to 6 pixels."""
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 0.1 + 6 * share), np.uint8)


def darken(frame: Frame, share: float) -> Frame:
    """Leave as little as a tenth of the light."""
    return np.asarray(cv2.convertScaleAbs(frame, alpha=1 - 0.9 * share), np.uint8)


def each(**changes: object) -> list[tuple[Face, ...]]:
    """One video for each person, to whose face something happens."""
    return [(replace(face, **changes),) for face in PEOPLE]


def group(side: float, comes: bool = False) -> list[tuple[Face, ...]]:
    """A video of six people, who may come and go in turns."""
    faces = []
    for number, place in enumerate(PLACES):
        face = replace(PEOPLE[number % 2], center=place, sway=(20, 10), side=side)
        turns = ((0.5 * number, ""), (0.5 * number + 0.5, face.portrait)) if comes else ()
        faces.append(replace(face, changes=turns))
    return [tuple(faces)]


@dataclass(frozen=True)
class Variation:
    """Faces to film, and what is done to the picture, more and more and less again."""

    casts: list[tuple[Face, ...]]
    change: Callable[[Frame, float], Frame] | None = None
    noise: float = 2.0
    size: tuple[int, int] = SIZE


VARIATIONS = {
    "sways": Variation(each()),
    "enters and leaves": Variation(each(sway=(430, 40), period_s=4)),
    "runs": Variation(each(sway=(220, 60), period_s=2)),
    "grows and shrinks, 57 to 243 pixels": Variation(each(swell=0.62, period_s=4)),
    "tilts by 20 degrees": Variation(each(tilt=20)),
    "tilts by 35 degrees": Variation(each(tilt=35, sway=(0, 0))),
    "is hidden now and then": Variation(
        [(replace(face, changes=((1, ""), (1.7, face.portrait), (3, ""), (3.2, face.portrait))),)
         for face in PEOPLE]
    ),
    "is 50 pixels wide": Variation(each(side=50)),
    "is 70 pixels wide": Variation(each(side=70)),
    "is 300 pixels wide": Variation(each(side=300, sway=(30, 15))),
    "blurs": Variation(each(), blur),
    "darkens": Variation(each(), darken),
    "is noisy": Variation(each(), noise=20),
    "six at once": Variation(group(100)),
    "six who come and go": Variation(group(90, comes=True)),
    "nobody": Variation([()]),
}  # fmt: skip


@dataclass
class Count:
    """What was counted in some frames: faces that OpenCV finds, those of them that ours has,
    and the boxes of both that are on no face."""

    frames: int = 0
    there: int = 0
    found: int = 0
    false: int = 0
    false_full: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*np.add(astuple(self), astuple(other)).tolist())

    def row(self) -> list[str]:
        """Its figures, as the table shows them."""
        recall = f"{self.found / self.there:.1%}" if self.there else "–"
        false = (f"{count / self.frames:.3f}" for count in (self.false, self.false_full))
        return [str(self.there), recall, *false]


def best(boxes: Boxes, others: Boxes) -> npt.NDArray[np.float64]:
    """The largest intersection over union of each box with one of the others."""
    if not len(boxes) or not len(others):
        return np.zeros(len(boxes))
    return np.asarray(sv.box_iou_batch(boxes, others).max(axis=1))


def frames(
    variation: Variation, seconds: float, fps: int, seed: int
) -> Iterator[tuple[Frame, Boxes, float, bool]]:
    """Film a variation: frames, known boxes, times, and whether a video begins."""
    for cast in variation.casts:
        for frame, _, time_s in FaceVideo(
            cast, seconds, fps, variation.size, noise=variation.noise, seed=seed
        ):
            if variation.change:
                frame = variation.change(frame, 0.5 - 0.5 * np.cos(2 * np.pi * time_s / seconds))
            shown = [face.box(time_s) for face in cast if face.shown(time_s)]
            yield frame, np.array(shown, np.float32).reshape(-1, 4), time_s, time_s == 0


def count(variation: Variation, seconds: float, fps: int, seed: int) -> Count:
    """Search a variation both ways."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE)
    pipeline, total = ExpressionPipeline(), Count()
    for frame, known, time_s, begins in frames(variation, seconds, fps, seed):
        if begins:
            pipeline.reset()
        ours = pipeline(frame, time_s).xyxy
        found = cascade.detectMultiScale(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
        full = np.float32(sv.xywh_to_xyxy(np.reshape(found, (-1, 4))))
        there = full[best(full, known) >= ON_FACE_IOU]
        total += Count(
            frames=1,
            there=len(there),
            found=int((best(there, ours) >= SAME_BOX_IOU).sum()),
            false=int((best(ours, known) < BESIDE_IOU).sum()),
            false_full=int((best(full, known) < BESIDE_IOU).sum()),
        )
    return total


def main() -> None:
    """Film every variation and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[""], help="variations with such a word")
    arguments = parser.parse_args()
    chosen = {
        name: VARIATIONS[name] for name in VARIATIONS if any(w in name for w in arguments.only)
    }
    table = Table("a face that", "found in full", "of these ours", "false a frame", "in full")
    total = Count()
    for name, variation in track(chosen.items(), "filming"):
        counts = [
            count(variation, arguments.seconds, arguments.fps, seed)
            for seed in range(arguments.seeds)
        ]
        table.add_row(name, *sum(counts, Count()).row())
        total = sum(counts, total)
    table.add_section()
    table.add_row("in all", *total.row())
    Console().print(table)


if __name__ == "__main__":
    main()

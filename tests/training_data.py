"""A small FER-2013 that the tests draw themselves, in each of its forms, and a small network."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from fer.detection import HaarFaceDetector
from fer.expressions import EXPRESSION_NAMES
from fer.preprocessing import crop_faces
from fer.training.datasets import FaceDataset

if TYPE_CHECKING:
    import keras

Row = tuple[int, npt.NDArray[np.uint8], str]


def draw_face(label: int, seed: int) -> npt.NDArray[np.uint8]:
    """Draw a grey face of 48×48; mouth and brows hang on the label, noise on the seed."""
    random = np.random.default_rng((label, seed))
    face = np.full((48, 48), 40 + 10 * label, np.uint8)
    cv2.ellipse(face, (24, 24), (18, 22), 0, 0, 360, 190, -1)
    for x in (17, 31):
        cv2.circle(face, (x, 20), 2 + label % 3, 30, -1)
        cv2.line(face, (x - 4, 13 + label % 4), (x + 4, 13 - label % 4), 30, 1)
    cv2.ellipse(face, (24, 36 - label), (8, 1 + label), 0, 0, 180 + 30 * label, 20, -1)
    noisy = face.astype(int) + random.integers(-8, 9, face.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def real_face() -> npt.NDArray[np.uint8]:
    """Cut a grey face of 48×48 out of a packaged portrait."""
    frame = skimage.data.astronaut()[..., ::-1].copy()
    return crop_faces(frame, HaarFaceDetector()(frame).xyxy[:1])[0]


def draw_votes(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Draw FER+ votes: eight of ten taggers see what the label says."""
    votes = np.zeros((len(labels), 10), np.int64)
    columns = np.array([4, 5, 6, 1, 3, 2, 0])[labels]
    votes[np.arange(len(labels)), columns] = 8
    votes[:, 8] = 2
    return votes


def make_rows(training: int = 6, public: int = 4, private: int = 2) -> list[Row]:
    """Make so many rows of each expression for each split."""
    counts = {"Training": training, "PublicTest": public, "PrivateTest": private}
    rows: list[Row] = []
    for usage, count in counts.items():
        for _ in range(count):
            for label in range(len(EXPRESSION_NAMES)):
                rows.append((label, draw_face(label, len(rows)), usage))
    return rows


def write_csv(path: Path, rows: list[Row]) -> Path:
    """Write rows as the competition did."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for label, face, usage in rows:
            writer.writerow([label, " ".join(map(str, face.ravel())), usage])
    return path


def write_folders(root: Path, rows: list[Row], prefixes: bool = True) -> Path:
    """Write rows as Kaggle's folder set has them; prefixes tell its two tests apart."""
    for number, (label, face, usage) in enumerate(rows):
        part = "train" if usage == "Training" else "test"
        folder = root / part / EXPRESSION_NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{usage if prefixes else 'im'}_{number}.png"), face)
    return root


def make_dataset(rows: list[Row]) -> FaceDataset:
    """Make a data set without a file."""
    labels, faces, usages = zip(*rows, strict=True)
    return FaceDataset(
        np.stack(faces), np.array(labels), np.array(usages), None, np.zeros(len(rows), bool)
    )


def tiny_network() -> "keras.Model":
    """Build a network with what the real one has: scaling, averages, chance, attention."""
    import keras
    from keras import layers

    from fer.training.networks import ATTENTION_LAYER

    inputs = layers.Input((48, 48, 1), name="faces")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dropout(0.2)(x)
    maps = layers.Conv2D(len(EXPRESSION_NAMES), 1, name=ATTENTION_LAYER)(x)
    logits = layers.GlobalAveragePooling2D(name="logits")(maps)
    return keras.Model(inputs, logits, name="tiny")

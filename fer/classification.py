"""What does a face show? The trained network, run by LiteRT."""

import os
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from fer.card import LITERT_FILE, ModelCard, load_card, verify
from fer.errors import ModelError
from fer.expressions import EXPRESSION_NAMES
from fer.preprocessing import network_input

MODEL_VARIABLE = "FER_MODEL"
"""Environment variable that names another model than the shipped one."""

_LEAST = 1e-12  # probability: nothing is impossible
_NO_MAPS = (6, 6, len(EXPRESSION_NAMES))  # of a network without them: those of the shipped one
_CLEARLY = 1e-6  # more likely than the second, in spite of rounding

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = (_PACKAGE / "_model", _PACKAGE.parent / "model")
"""Where the shipped model lies: in an installed wheel, or in a clone."""


def resolve_model(model: str | Path | None = None) -> Path:
    """Find the LiteRT file of a model.

    Args:
        model: A ``.tflite`` file or the folder that holds one as ``fer.tflite``;
            by default what ``FER_MODEL`` says, else the shipped model.

    Returns:
        Path of the ``.tflite`` file.

    Raises:
        ModelError: There is none, or it is a file of another kind.
    """
    shipped = next((folder for folder in _SHIPPED if folder.is_dir()), _SHIPPED[-1])
    path = Path(model or os.environ.get(MODEL_VARIABLE) or shipped)
    if path.is_dir():
        path = path / LITERT_FILE
    if path.suffix == ".keras":
        raise ModelError(
            f"{path} is for training; the apps run LiteRT. "
            f"Write it with: python -m fer export --model {path} --out {path.parent}"
        )
    if not path.is_file():
        raise ModelError(f"There is no model at {path}; expected a .tflite file or its folder.")
    return path


def open_runner(path: Path) -> tuple[Any, str]:
    """Open a LiteRT file.

    Args:
        path: Of a file that was checked with `fer.card.verify`.

    Returns:
        A function that runs it, on named arrays, in one thread at a time; and
        the name of its input.

    Raises:
        ModelError: It cannot be run.
    """
    # Not above: a machine that only trains may lack it.
    from ai_edge_litert.interpreter import Interpreter

    try:
        runner = Interpreter(str(path), num_threads=1).get_signature_runner()
        return runner, next(iter(runner.get_input_details()))
    except (ValueError, RuntimeError, StopIteration) as error:
        raise ModelError(f"{path} is no LiteRT model that can be run ({error}).") from error


class ExpressionClassifier:
    """Scores faces; threads that share one take turns.

    Args:
        model: As `resolve_model` takes it.

    Attributes:
        card: What is known of the model.
        has_attention: Whether the network has the maps of `read`.
        maps_shape: Of the maps of a face: places down, places across, class ids;
            (6, 6, 7) of the shipped network.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """

    def __init__(self, model: str | Path | None = None) -> None:
        path = resolve_model(model)
        self.card = load_card(path.parent)
        verify(path, self.card)
        self._run, self._input = open_runner(path)
        self._turn = Lock()

        attention = self._run.get_output_details().get("attention")
        self.has_attention = attention is not None
        self.maps_shape = tuple(attention["shape"][1:]) if attention else _NO_MAPS

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Score faces.

        Args:
            faces: Grey faces, uint8 of shape (n, 48, 48), as
                `fer.preprocessing.crop_faces` cuts them.

        Returns:
            Probabilities, float32 of shape (n, 7), by class id; each row sums
            to 1, calibrated as the card says.

        Raises:
            ValueError: Another dtype or shape.
        """
        return self.read(faces)[0]

    def read(
        self, faces: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Score faces, and say which part of each speaks for which class, in one run.

        Args:
            faces: As a call takes them.

        Returns:
            The scores of a call, and class activation maps, float32 of shape
            (n, *maps_shape): by how much each place adds to each class's logit.
            They are zeros where the network has no such output.

        Raises:
            ValueError: Another dtype or shape.
        """
        inputs = network_input(faces)
        maps = np.zeros((len(inputs), *self.maps_shape), np.float32)
        if len(inputs) == 0:
            return np.empty((0, len(self.card.labels)), np.float32), maps
        with self._turn:
            outputs = self._run(**{self._input: inputs})
        return calibrated(outputs["logits"], self.card), outputs.get("attention", maps)


def attend(
    maps: npt.NDArray[np.floating], class_id: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Say where the network sees what it named (class activation maps, arXiv:1512.04150).

    Args:
        maps: Of `ExpressionClassifier.read`, shape (n, h, w, 7).
        class_id: The class named for each face, shape (n,).

    Returns:
        float32 of shape (n, h, w): the part of the class's map that speaks for
        it, divided by its maximum, so 0 to 1; zeros where nothing does.
    """
    speaking = np.maximum(maps[np.arange(len(maps)), ..., class_id], 0)
    most = speaking.max(axis=(1, 2), keepdims=True, initial=0)
    return np.asarray(speaking / np.where(most > 0, most, 1), np.float32)


def calibrated(logits: npt.NDArray[np.floating], card: ModelCard) -> npt.NDArray[np.float32]:
    """Turn logits into probabilities that mean what they say.

    The class that is the likeliest after temperature and bias stays it.

    Args:
        logits: Shape (n, 7), by class id.
        card: Its temperature, its bias and its table of what is right how often.

    Returns:
        float32 of shape (n, 7); each row sums to 1.
    """
    scores = softmax(logits / card.temperature + np.array(card.bias, np.float32)).astype(float)
    scores = np.maximum(scores, _LEAST)
    likeliest = np.arange(len(scores)), scores.argmax(axis=1)
    said = scores[likeliest]
    scores[likeliest] = 0
    rest = scores.sum(axis=1)
    second = scores.max(axis=1)
    least = second / (rest + second)  # where both would be as likely
    right = np.maximum(np.interp(said, *np.transpose(card.reliability)), least + _CLEARLY)
    scores *= ((1 - right) / rest)[:, np.newaxis]
    scores[likeliest] = right
    return np.asarray(scores, np.float32)


def softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Turn logits of shape (n, k) into probabilities, float32 of the same shape."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

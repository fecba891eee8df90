"""``card.json``: what a model's files are, kept beside them and checked on loading."""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from fer.errors import ModelError
from fer.expressions import EXPRESSION_NAMES
from fer.preprocessing import INPUT_SIZE, PIXEL_RANGE

CARD_FILE = "card.json"
KERAS_FILE = "fer.keras"
LITERT_FILE = "fer.tflite"
STAGES_FILE = "stages.tflite"


@dataclass(frozen=True)
class ModelCard:
    """What a program has to know of a model before it may trust its output.

    Attributes:
        network: Name of the builder in `fer.training.networks.NETWORKS`.
        temperature: What the logits are divided by, so that the probability
            that is shown is the share of such answers that are right.
        bias: What is added to each logit after that, by class id, so that no
            class is named more often than it occurs.
        reliability: Points of a rising curve, from the probability of the
            likeliest class after that to the share of such answers that is
            right; the other probabilities make up the rest.
        figures: Measures, each with the command that repeats it.
        sha256: Hexadecimal digest of each file, by its name; if it is empty
            the files are taken as they are.
        labels: Expressions by class id.
        input_size: Side of the square input, in pixels.
        pixel_range: Range of the network's input; it scales that itself.
    """

    network: str
    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0,) * len(EXPRESSION_NAMES)
    reliability: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))
    figures: dict[str, Any] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = EXPRESSION_NAMES
    input_size: int = INPUT_SIZE
    pixel_range: tuple[float, float] = PIXEL_RANGE

    def save(self, folder: Path) -> None:
        """Write ``card.json`` into a folder, in place of the one that is there when it is whole."""
        partial = folder / "partial.json"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        os.replace(partial, folder / CARD_FILE)


def load_card(folder: Path) -> ModelCard:
    """Read a folder's ``card.json``.

    Raises:
        ModelError: It is missing or damaged, or speaks of a network that eats
            other pixels or names its classes in another order.
    """
    path = folder / CARD_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        card = ModelCard(
            network=str(raw["network"]),
            temperature=float(raw["temperature"]),
            bias=tuple(map(float, raw["bias"])),
            reliability=tuple(
                (float(said), float(right))
                for said, right in raw.get("reliability", ModelCard.reliability)
            ),
            figures=dict(raw["figures"]),
            sha256=dict(raw.get("sha256", {})),
            labels=tuple(raw["labels"]),
            input_size=int(raw["input_size"]),
            pixel_range=(float(raw["pixel_range"][0]), float(raw["pixel_range"][1])),
        )
    except FileNotFoundError:
        raise ModelError(
            f"There is no {path}: a model needs the card that `python -m fer export` writes."
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged ({error}): export the model again.") from error
    if not _is_ours(card):
        raise ModelError(
            f"{path} describes another kind of model; expected the labels "
            f"{', '.join(EXPRESSION_NAMES)}, an input of {INPUT_SIZE} pixels in "
            f"{PIXEL_RANGE[0]:g} to {PIXEL_RANGE[1]:g}, a temperature above 0, a bias "
            "for each label and a reliability that rises from 0 to 1."
        )
    return card


def _is_ours(card: ModelCard) -> bool:
    ours = (EXPRESSION_NAMES, INPUT_SIZE, PIXEL_RANGE, len(EXPRESSION_NAMES))
    theirs = (card.labels, card.input_size, card.pixel_range, len(card.bias))
    rising = len(card.reliability) > 1 and all(
        a < b and 0 <= right_a <= right_b <= 1
        for (a, right_a), (b, right_b) in pairwise(card.reliability)
    )
    finite = 0 < card.temperature < math.inf and all(map(math.isfinite, card.bias))
    return theirs == ours and finite and rising


def verify(path: Path, card: ModelCard) -> None:
    """Check that a model file is the one its card speaks of; one without digests vouches for none.

    Args:
        path: The model file.
        card: From the same folder.

    Raises:
        ModelError: The file is missing, or its SHA-256 differs.
    """
    if not path.is_file():
        raise ModelError(f"There is no model at {path}.")
    if card.sha256 and sha256(path) != card.sha256.get(path.name):
        raise ModelError(
            f"{path} is not the file that {CARD_FILE} beside it describes (SHA-256 differs): "
            "it is damaged or was exchanged. Fetch or export it again."
        )


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

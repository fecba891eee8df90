"""The folder of a run, from which it can be resumed.

- ``run.json``: what was asked for, so that a resumed run cannot differ
- ``checkpoint.weights.h5``: the state after the last whole epoch
- ``log.csv`` and ``curves.png``: loss and accuracy of each epoch
- ``fer.keras``: the trained network, an average over the last part of the run
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fer.card import KERAS_FILE
from fer.errors import TrainingError
from fer.training.recipes import Recipe

RUN_FILE = "run.json"
CHECKPOINT_FILE = "checkpoint.weights.h5"
LOG_FILE = "log.csv"


def check_folder(recipe: Recipe, out: Path, resume: bool) -> None:
    """Check that a run can be started in a folder, or be resumed there.

    Raises:
        TrainingError: The folder holds a network already; or, to resume, no
            run, a damaged one, or one of another recipe.
    """
    if not resume:
        if (out / RUN_FILE).exists() or (out / KERAS_FILE).exists():
            raise TrainingError(
                f"{out} holds a network already: add --resume, or give another folder as --out."
            )
        return
    if not (out / RUN_FILE).is_file():
        raise TrainingError(f"{out} holds no run to resume: leave --resume away to start one.")
    started = read_recipe(out)
    for name, value in json.loads(_as_json(recipe)).items():
        if started.get(name) != value:
            raise TrainingError(
                f"{out} holds another run: its {name} is {started.get(name)}, not {value}. "
                "Resume it with what it was started with."
            )


def read_recipe(out: Path) -> dict[str, Any]:
    """Read what a folder's run was started with: the fields of its `Recipe`, by name.

    Raises:
        TrainingError: ``run.json`` cannot be read.
    """
    path = out / RUN_FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}): start the run anew in another folder."
        ) from error


def write_recipe(recipe: Recipe, out: Path) -> None:
    """Begin a run's folder; made if it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    _write(out / RUN_FILE, _as_json(recipe))


def shorten_log(path: Path, epochs: int) -> None:
    """Drop what the log says of epochs that the checkpoint has not seen."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    _write(path, "".join(lines[: epochs + 1] if epochs else []))


def _as_json(recipe: Recipe) -> str:
    return json.dumps(asdict(recipe), indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    """Write a small file, whole or not at all."""
    partial = path.with_name(f"partial-{path.name}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)

"""The commands that make a network and say how good it is.

Nothing of `fer.training` is imported before a command needs it: TensorFlow
takes seconds to load, and ``--help`` should not.
"""

import json
import os
import shlex
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fer.card import LITERT_FILE
from fer.classification import resolve_model
from fer.cli._shared import INTERRUPTED, Data, load_keras, say
from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES

if TYPE_CHECKING:
    from fer.training.evaluation import Evaluation


class Step(StrEnum):
    """What a recipe can do without, to see what it is worth."""

    AUGMENTATION = "augmentation"
    AVERAGE = "average"
    MIXUP = "mixup"
    SMOOTHING = "smoothing"


_LEFT_OUT: dict[Step, dict[str, Any]] = {
    Step.AUGMENTATION: {"augment": False},
    Step.AVERAGE: {"ema": 0.0},
    Step.MIXUP: {"mixup": 0.0},
    Step.SMOOTHING: {"label_smoothing": 0.0},
}


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    network: Annotated[str, typer.Option(help="Name of the network.")] = "se_resnet",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times that every face is shown; by default the recipe's."),
    ] = None,
    votes: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the targets that follows FER+ votes.")
    ] = 0.0,
    teacher: Annotated[
        list[Path] | None, typer.Option(help="A .keras file to learn from; may be repeated.")
    ] = None,
    distillation: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the loss that is the teachers'.")
    ] = 0.5,
    start: Annotated[
        Path | None, typer.Option(help="A .keras file of the same network to start from.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, help="The highest; by default the recipe's.")
    ] = None,
    without: Annotated[
        list[Step] | None, typer.Option(help="Leave a step out; may be repeated.")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32 or mixed_bfloat16")] = "float32",
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network, and export it for the apps into the same folder."""
    try:
        load_keras()
        from fer.training.datasets import load_dataset
        from fer.training.export import export_litert
        from fer.training.recipes import RECIPES, Recipe
        from fer.training.train import check_run
        from fer.training.train import train as run

        recipe = RECIPES.get(network, Recipe(network=network))
        for step in without or []:
            recipe = replace(recipe, **_LEFT_OUT[step])
        recipe = replace(
            recipe,
            epochs=epochs or recipe.epochs,
            learning_rate=learning_rate or recipe.learning_rate,
            votes=votes,
            start=str(start or ""),
            teachers=tuple(map(str, teacher or [])),
            distillation=distillation,
            precision=precision,
            seed=seed,
        )
        check_run(recipe, out, resume)  # before the minute that reading the data takes
        trained = run(load_dataset(data), recipe, out, resume)
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            export_litert(trained, out, network=network)
    except KeyboardInterrupt:
        command = ["python", "-m", "fer", *sys.argv[1:]]
        if (out / "run.json").exists() and not resume:
            command.append("--resume")
        say(f"Stopped. Go on with: {shlex.join(command)}")
        raise typer.Exit(INTERRUPTED) from None
    if (out / LITERT_FILE).is_file():
        print(f"Trained and exported. See it live with: python camera_app.py --model {out}")
    else:
        print(
            "Trained. TensorFlow writes the file that the apps run: "
            f"python -m fer export --model {out} --out {out}"
        )


def evaluate(
    data: Data,
    split: Annotated[str, typer.Option(help="training, public, private or test (both)")] = "public",
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder, .tflite or .keras file; by default the shipped one."),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Measure each face with its mirror image too.")
    ] = False,
    refound: Annotated[
        bool, typer.Option("--refound", help="Measure the faces as our detector frames them too.")
    ] = False,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for confusion.png and reliability.png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Measure a network on a split of FER-2013."""
    from fer.training.datasets import SPLITS, load_dataset
    from fer.training.evaluation import evaluate_on

    if split not in SPLITS:
        raise DatasetError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    path = model if model and model.suffix == ".keras" else resolve_model(model)
    if plots:
        plots.mkdir(parents=True, exist_ok=True)  # before the minute that the rest takes
    dataset = load_dataset(data)
    if path.suffix == ".keras":
        load_keras()
    evaluation, others = evaluate_on(path, dataset, split, flip=flip, refound=refound)
    if plots:
        from fer.training.plots import plot_confusion, plot_reliability

        plot_confusion(evaluation, plots / "confusion.png")
        plot_reliability(evaluation, plots / "reliability.png")
    if as_json:
        measured = {"model": str(path), "split": split} | asdict(evaluation) | others
        print(json.dumps(measured, indent=2))
    else:
        _print_evaluation(evaluation, others, f"{path} on {split}")


_OTHERS = {
    "without_duplicates": "without pictures that stand in the training split too",
    "ferplus": "against the majority of the FER+ votes",
    "flipped": "each face with its mirror image",
    "refound": "as our detector frames them, where it finds them",
    "refound_direct": "the same faces as FER-2013 frames them",
}


def _print_evaluation(evaluation: "Evaluation", others: dict[str, Any], title: str) -> None:
    table = Table("expression", "precision", "recall", "F1", *EXPRESSION_NAMES, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in zip(EXPRESSION_NAMES, evaluation.confusion, strict=True):
        measures = (evaluation.precision[name], evaluation.recall[name], evaluation.f1[name])
        table.add_row(name, *(f"{m:.1%}" for m in measures), *map(str, row))
    # Off a terminal Rich takes 80 columns, which would cut the names off.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(
        f"{evaluation.faces} faces: accuracy {evaluation.accuracy:.2%}, "
        f"macro F1 {evaluation.macro_f1:.2%}, "
        f"negative log-likelihood {evaluation.negative_log_likelihood:.4f}, "
        f"expected calibration error {evaluation.expected_calibration_error:.4f}",
        highlight=False,
    )
    for name, measured in others.items():
        if measured["faces"]:
            console.print(
                f"{_OTHERS[name]}: accuracy {measured['accuracy']:.2%} of {measured['faces']}",
                highlight=False,
            )

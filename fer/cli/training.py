"""The commands that make a network and say how good it is.

Of `fer.training` only what imports nothing is imported before a command needs it:
TensorFlow takes seconds to load, and ``--help`` should not.
"""

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from fer.card import LITERT_FILE
from fer.classification import resolve_model
from fer.command_line import INTERRUPTED, Data, load_keras, open_console, say
from fer.errors import DatasetError
from fer.expressions import EXPRESSION_NAMES
from fer.training.recipes import PRECISIONS, Recipe, Step, choose_recipe

if TYPE_CHECKING:
    from fer.training.evaluation import Evaluation


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    network: Annotated[str, typer.Option(help="Name of the network.")] = Recipe.network,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Times that every face is shown; by default the recipe's."),
    ] = None,
    votes: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the targets that follows FER+ votes.")
    ] = Recipe.votes,
    teacher: Annotated[
        list[Path] | None, typer.Option(help="A .keras file to learn from; may be repeated.")
    ] = None,
    distillation: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the loss that is the teachers'.")
    ] = Recipe.distillation,
    start: Annotated[
        Path | None, typer.Option(help="A .keras file of the same network to start from.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, help="The highest; by default the recipe's.")
    ] = None,
    without: Annotated[
        list[Step] | None, typer.Option(help="Leave a step out; may be repeated.")
    ] = None,
    precision: Annotated[str, typer.Option(help=" or ".join(PRECISIONS))] = Recipe.precision,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = Recipe.seed,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network, and export it for the apps into the same folder."""
    recipe = choose_recipe(
        network,
        without or [],
        epochs=epochs,
        learning_rate=learning_rate,
        votes=votes,
        start=str(start or ""),
        teachers=tuple(map(str, teacher or [])),
        distillation=distillation,
        precision=precision,
        seed=seed,
    )
    _train(data, recipe, out, resume)


def _train(data: Path, recipe: Recipe, out: Path, resume: bool) -> None:
    """Train and export, and say how to go on from there."""
    try:
        load_keras()
        from fer.training.datasets import load_dataset
        from fer.training.export import export_litert
        from fer.training.train import check_run, train

        check_run(recipe, out, resume)  # before the minute that reading the data takes
        trained = train(load_dataset(data), recipe, out, resume)
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            export_litert(trained, out, network=recipe.network)
    except KeyboardInterrupt:
        say(f"Stopped. Go on with: {_command_to_go_on(out, resume)}")
        raise typer.Exit(INTERRUPTED) from None
    if (out / LITERT_FILE).is_file():
        print(f"Trained and exported. See it live with: python camera_app.py --model {out}")
    else:
        print(
            "Trained. TensorFlow writes the file that the apps run: "
            f"python -m fer export --model {out} --out {out}"
        )


def _command_to_go_on(out: Path, resume: bool) -> str:
    from fer.training.runs import RUN_FILE

    command = ["python", "-m", "fer", *sys.argv[1:]]
    if (out / RUN_FILE).exists() and not resume:
        command.append("--resume")
    return shlex.join(command)


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
    console = open_console()
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

"""The command line: train, evaluate and export a network.

Nothing of `fer.training` is imported before a command needs it: TensorFlow
takes seconds to load, and ``--help`` should not.
"""

import json
import logging
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fer.card import KERAS_FILE
from fer.classification import resolve_model
from fer.errors import DatasetError, FerError
from fer.expressions import EXPRESSION_NAMES

if TYPE_CHECKING:
    from fer.training.evaluation import Evaluation

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended, as shells have it."""

app = typer.Typer(
    help="Train, evaluate and export networks that read facial expressions.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path,
    typer.Option(help="fer2013.csv (also .gz or .zip), or the folder with train/ and test/."),
]


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    network: Annotated[str, typer.Option(help="Name of the network.")] = "se_resnet",
    epochs: Annotated[int, typer.Option(min=1, help="Times that every face is shown.")] = 60,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a network, and export it for the apps into the same folder."""
    try:
        _load_keras()
        from fer.training.datasets import load_dataset
        from fer.training.export import export_litert
        from fer.training.train import Recipe, check_run
        from fer.training.train import train as run

        recipe = Recipe(network=network, epochs=epochs)
        check_run(recipe, out, resume)  # before the minute that reading the data takes
        export_litert(run(load_dataset(data), recipe, out, resume), out, network=network)
    except KeyboardInterrupt:
        command = ["python", "-m", "fer", "train", "--data", str(data), "--network", network]
        command += ["--epochs", str(epochs), "--out", str(out)]
        if (out / "run.json").exists():
            command.append("--resume")
        _say(f"Stopped. Go on with: {shlex.join(command)}")
        raise typer.Exit(INTERRUPTED) from None
    print(f"Trained and exported. See it live with: python camera_app.py --model {out}")


@app.command()
def evaluate(
    data: Data,
    split: Annotated[str, typer.Option(help="training, public, private or test (both)")] = "public",
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder, .tflite or .keras file; by default the shipped one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Measure a network on a split of FER-2013."""
    from fer.training.datasets import SPLITS, load_dataset
    from fer.training.evaluation import evaluate as measure
    from fer.training.evaluation import score_faces

    if split not in SPLITS:
        raise DatasetError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    path = model if model and model.suffix == ".keras" else resolve_model(model)
    part = load_dataset(data).split(split)
    if path.suffix == ".keras":
        _load_keras()
    evaluation = measure(score_faces(path, part.faces), part.labels)
    if as_json:
        print(json.dumps({"model": str(path), "split": split} | asdict(evaluation), indent=2))
    else:
        _print_evaluation(evaluation, f"{path} on {split}")


@app.command()
def export(
    model: Annotated[Path, typer.Option(help="A .keras file, or the folder that holds fer.keras.")],
    out: Annotated[Path, typer.Option(help="Folder for fer.tflite, fer.keras and card.json.")],
    data: Annotated[
        Path | None,
        typer.Option(help="FER-2013: fit the temperature on half of PublicTest, write figures."),
    ] = None,
) -> None:
    """Write the LiteRT file that the apps run."""
    _load_keras()
    from fer.training.datasets import load_dataset
    from fer.training.export import export_litert

    dataset = load_dataset(data) if data else None
    card = export_litert(model / KERAS_FILE if model.is_dir() else model, out)
    if data and dataset:
        from fer.training.evaluation import calibrate

        card = calibrate(out, dataset, data)
    print(f"Exported {card.network} to {out}, temperature {card.temperature:.3f}.")


def _print_evaluation(evaluation: "Evaluation", title: str) -> None:
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


def _load_keras() -> None:
    """Load Keras and TensorFlow without the messages that they print while they start."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def main() -> None:
    """Run the command line; what goes wrong by name is one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        app(prog_name="python -m fer")
    except FerError as error:
        _say(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _say(f"{place}{error.strerror or str(error).splitlines()[0]}.")
    except ModuleNotFoundError as error:
        _say(f'{error.name} is missing; training needs: pip install -e ".[train]"')
    else:
        return
    sys.exit(1)

"""The commands around models and data sets: other formats, and FER-2013 from Kaggle."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fer.card import KERAS_FILE
from fer.classification import resolve_model
from fer.command_line import INTERRUPTED, load_keras, say
from fer.errors import ModelError

data_app = typer.Typer(
    help="Fetch the data set that networks are trained on.", no_args_is_help=True
)


class Format(StrEnum):
    """What `export` can write: LiteRT, and what `fer.training.formats.FILES` names."""

    LITERT = "litert"
    SAVEDMODEL = "savedmodel"
    ONNX = "onnx"
    JSON_H5 = "json-h5"


def export(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="A .keras file, or the folder that holds fer.keras; by default the shipped model."
        ),
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="litert: fer.tflite, which the apps run, with stages.tflite, which shows its "
            "stages, and fer.keras; savedmodel: saved_model/; onnx: fer.onnx; "
            "json-h5: model.json and model.weights.h5. Each comes with card.json.",
        ),
    ] = Format.LITERT,
    data: Annotated[
        Path | None,
        typer.Option(help="FER-2013: fit the calibration on PublicTest, write figures."),
    ] = None,
) -> None:
    """Write a network in the format of a runtime: LiteRT, TensorFlow, ONNX or Keras."""
    if data and form is not Format.LITERT:
        raise ModelError(
            "The calibration is fitted on the LiteRT file: export that with --data first, "
            "then the other format without."
        )
    path = model or resolve_model().parent
    path = path / KERAS_FILE if path.is_dir() else path
    load_keras()
    if form is Format.LITERT:
        _export_litert(path, out, data)
        return
    from fer.training.formats import export_format

    written = export_format(path, out, form)
    print(f"Exported {path} to {' and '.join(map(str, written))}.")


def _export_litert(path: Path, out: Path, data: Path | None) -> None:
    from fer.training.datasets import load_dataset
    from fer.training.export import export_litert

    dataset = load_dataset(data) if data else None
    card = export_litert(path, out)
    if data and dataset:
        from fer.training.calibration import calibrate

        card = calibrate(out, dataset, data)
    print(f"Exported {card.network} to {out}, temperature {card.temperature:.3f}.")


@data_app.callback()
def _fetch() -> None:
    """Make ``download`` a word of the command line although it is the only one."""


@data_app.command()
def download(
    out: Annotated[Path, typer.Option(help="Folder that is to hold train/ and test/.")] = Path(
        "data/fer2013"
    ),
) -> None:
    """Fetch FER-2013 from Kaggle (60 MB): folders of pictures for training and testing."""
    from fer.training.download import download as fetch

    try:
        fetch(out)
    except KeyboardInterrupt:
        say("Stopped; nothing was kept.")
        raise typer.Exit(INTERRUPTED) from None
    print(f"FER-2013 lies in {out}. Train with:")
    print(shlex.join(["python", "-m", "fer", "train", "--data", str(out), "--out", "runs/mine"]))

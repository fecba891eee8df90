"""The commands around models and data sets: write a model in other formats."""

from pathlib import Path
from typing import Annotated

import typer

from fer.card import KERAS_FILE
from fer.cli._shared import load_keras


def export(
    model: Annotated[Path, typer.Option(help="A .keras file, or the folder that holds fer.keras.")],
    out: Annotated[Path, typer.Option(help="Folder for fer.tflite, fer.keras and card.json.")],
    data: Annotated[
        Path | None,
        typer.Option(help="FER-2013: fit the temperature on half of PublicTest, write figures."),
    ] = None,
) -> None:
    """Write the LiteRT file that the apps run."""
    load_keras()
    from fer.training.datasets import load_dataset
    from fer.training.export import export_litert

    dataset = load_dataset(data) if data else None
    card = export_litert(model / KERAS_FILE if model.is_dir() else model, out)
    if data and dataset:
        from fer.training.evaluation import calibrate

        card = calibrate(out, dataset, data)
    print(f"Exported {card.network} to {out}, temperature {card.temperature:.3f}.")

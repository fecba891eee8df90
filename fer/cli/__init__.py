"""The command line: ``fer``, or ``python -m fer``."""

import logging
import sys

import typer

from fer.cli import check, media, models, score, training
from fer.command_line import say, say_why
from fer.errors import FerError

app = typer.Typer(
    help="Read facial expressions in photographs and videos; train and export what reads them.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    media.image,
    media.video,
    score.score,
    training.train,
    training.evaluate,
    models.export,
    check.check,
):
    app.command()(command)
app.add_typer(models.data_app, name="data")


def main() -> None:
    """Run the command line; what goes wrong by name is one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        app(prog_name="python -m fer")
    except (FerError, OSError) as error:
        say_why(error)
    except ModuleNotFoundError as error:
        say(f'{error.name} is missing; training needs: pip install -e ".[train]"')
    else:
        return
    sys.exit(1)

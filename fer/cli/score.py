"""The command that reads whole folders."""

import signal
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from fer.command_line import INTERRUPTED, Model, say
from fer.cores import usable_cores
from fer.errors import OutputError, SourceError
from fer.files import find_files, refuse_inputs
from fer.pipeline import ExpressionPipeline
from fer.score_worker import Settings
from fer.scoring import SUFFIXES, ScoreRun


def score(
    paths: Annotated[list[Path], typer.Argument(help="Photographs, videos and folders of them.")],
    rows: Annotated[
        Path, typer.Option(help="The .parquet, .csv or .jsonl file; it may be there already.")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Files to read at once; by default one a core.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Read every how many-th frame of a video.")] = 1,
    model: Model = None,
) -> None:
    """Name what the faces in whole folders of photographs and videos show, in a file of rows.

    Run it again and it goes on: what is in the file of rows is done, and what
    could not be read is tried once more. A file beside it tells that: faces.errors.csv
    for faces.parquet. Of a damaged video the rows end where it could be read no
    further; that is told too, and it counts as done.
    """
    errors = rows.with_name(f"{rows.stem}.errors.csv")
    _refuse_errors(errors)
    gone = [str(path) for path in paths if not path.exists()]
    if gone:
        raise SourceError(f"{', '.join(gone)} does not exist; expected files and folders to read.")
    files = find_files(paths, SUFFIXES)
    refuse_inputs([rows, errors], files)
    ExpressionPipeline(model)  # to say now what hinders, not from within the workers
    run = ScoreRun(rows, errors, Settings(model, every))
    to_do = run.to_do(files)
    failed, stopped = _read(run, to_do, workers or usable_cores())
    read = len(to_do) - len(run.to_do(to_do))
    told = run.merge(failed)
    before = len(files) - len(to_do)
    print(f"{_count(read)} read into {rows}, {before} had been read before.")
    if told:
        say(f"{_count(told)} could not be read, or only in part: {errors} says why.")
    if stopped or told:
        raise typer.Exit(INTERRUPTED if stopped else 1)


def _refuse_errors(errors: Path) -> None:
    """Check that what goes wrong can be told without replacing something else."""
    if errors.is_file() and not errors.read_bytes().startswith(b"source,error\n"):
        raise OutputError(f"{errors} is of another kind and would be replaced: move it away.")


def _read(run: ScoreRun, files: Collection[Path], workers: int) -> tuple[dict[Path, str], bool]:
    """Read files.

    Returns:
        Those that could not be read, or only in part, with a sentence each; and
        whether Ctrl-C came before the end.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    failed = {}
    try:
        with closing(run.read(files, workers)) as results:
            for file, error in track(
                results, "", len(files), console=console, disable=not console.is_terminal
            ):
                if error:
                    failed[file] = error
    except KeyboardInterrupt:
        return failed, True
    return failed, False


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"

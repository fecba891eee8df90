"""The commands that read photographs and videos."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import av
import numpy as np
import numpy.typing as npt
import supervision as sv
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn, track
from rich.table import Table
from rich.text import Text

from fer.annotation import ExpressionAnnotator, FaceView, describe
from fer.cli._interrupts import stoppable
from fer.clock import clock
from fer.command_line import Faces, Model, open_console, say
from fer.errors import OutputError, SourceError
from fer.files import find_files, reason, refuse_inputs, refuse_leftovers
from fer.films import FilmSummary, FilmTask, read_film
from fer.pictures import SUFFIXES, read_picture, write_picture
from fer.pipeline import ExpressionPipeline
from fer.recording import open_again
from fer.rows import as_text, make_rows, open_rows

Blur = Annotated[bool, typer.Option("--blur", help="Short for --faces blur.")]


def image(
    paths: Annotated[list[Path], typer.Argument(help="Photographs, and folders of them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for annotated copies.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--csv", "--rows", help="A row for each face: a .csv, .jsonl or .parquet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
    faces: Faces = FaceView.PLAIN,
    blur: Blur = False,
    model: Model = None,
) -> None:
    """Name what the faces in photographs show: a line for each, a file or annotated copies."""
    files = find_files(paths, SUFFIXES, but_not_in=out)
    copies = _name_copies(files, out) if out else {}
    refuse_inputs([rows, *copies.values()], files)
    refuse_leftovers([rows])
    pipeline = ExpressionPipeline(model, live=False)
    width = max(cell_len(as_text(path)) for path in files)
    found, read = [], 0
    with stoppable() as stop, ExitStack() as opened:
        sink = opened.enter_context(open_rows(rows)) if rows else None
        for path, picture in _read_pictures(files, stop, bar=as_json):
            read += 1
            detections = pipeline(picture)
            new = make_rows(detections, path)
            if sink:
                sink.write(new)
            if as_json:
                found += new
            else:
                _print_faces(path, width, detections)
            if out:
                view = FaceView.BLUR if blur else faces
                scene = ExpressionAnnotator(picture.shape[0], view).annotate(picture, detections)
                write_picture(copies[path], scene)
        if as_json:
            print(json.dumps(found, indent=2))
    if read < len(files):
        raise typer.Exit(1)


def video(
    source: Annotated[str, typer.Argument(help="A video, a URL or the number of a camera.")],
    out: Annotated[Path | None, typer.Option(help="Annotated copy, an .mp4 file.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="Rows for every frame that is read: a .csv, .jsonl or .parquet file."),
    ] = None,
    every: Annotated[
        int,
        typer.Option(min=1, help="Read one frame of so many; the rest show its result."),
    ] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Stop after so many; a camera goes on until Ctrl-C."),
    ] = None,
    faces: Faces = FaceView.PLAIN,
    blur: Blur = False,
    model: Model = None,
) -> None:
    """Name what the faces in a video show, in an annotated copy and rows for every frame.

    Without either it says at the end how often each expression was seen. Ctrl-C
    ends it, and keeps what was read until then.
    """
    view = FaceView.BLUR if blur else faces
    task = FilmTask(source, out, rows, view, every=every, seconds=seconds)
    summary = FilmSummary()
    try:
        with (
            stoppable() as stop,
            closing(read_film(task, model)) as reading,
            _progress(_length_s(source, seconds)) as show,
        ):
            for found in reading:
                summary.add(found)
                show(summary.end_s)
                if stop.is_set():
                    break
    finally:
        _print_summary(source, summary)


def _print_summary(source: str, summary: FilmSummary) -> None:
    if not summary.frames:
        return
    text = (
        f"{as_text(source)}: {clock(summary.end_s)} of video, {summary.frames} frames read, "
        f"a face in {summary.frames_with_face / summary.frames:.0%} of them."
    )
    open_console().print(Text(text), soft_wrap=True)
    if summary.states:
        table = Table("expression", "share of the faces")
        table.columns[1].justify = "right"
        for name, share in summary.shares().items():
            table.add_row(name, f"{share:.1%}")
        open_console().print(table)


def _read_pictures(
    files: Iterable[Path], stop: Event, bar: bool
) -> Iterator[tuple[Path, npt.NDArray[np.uint8]]]:
    """Read the pictures that can be read, and say of the others why not."""
    console = Console(stderr=True)
    # A bar, unless lines that appear on the same screen show how far the work is.
    hidden = not console.is_terminal or (sys.stdout.isatty() and not bar)
    for path in track(files, "", console=console, transient=True, disable=hidden):
        if stop.is_set():
            return
        try:
            yield path, read_picture(path)
        except SourceError as error:
            say(str(error))


def _name_copies(files: dict[Path, Path], out: Path) -> dict[Path, Path]:
    """Choose where the annotated copies go, and make their folders."""
    copies = {path: out / name for path, name in files.items()}
    for path, copy in copies.items():
        if copy.suffix.lower() not in SUFFIXES:
            copies[path] = copy.with_name(f"{copy.name}.png")
    for copy, times in Counter(copies.values()).items():
        if times > 1:
            raise OutputError(
                f"Two pictures would be written to {copy}: give the folder that holds both, "
                "or one at a time."
            )
    for folder in {copy.parent for copy in copies.values()}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be made: {reason(error)}; expected a folder or a new name."
            ) from error
    return copies


def _print_faces(path: Path, width: int, detections: sv.Detections) -> None:
    """Print a line for each face, with its picture's name in a column of so many letters."""
    name = as_text(path)
    start = name + " " * (width - cell_len(name))
    sides = (detections.xyxy[:, 2] - detections.xyxy[:, 0]).round().astype(int)
    faces = enumerate(zip(sides, describe(detections), strict=True))
    lines = [f"{start}  face {face}  {side:>4} pixels  {text}" for face, (side, text) in faces]
    # Rich writes to standard output itself, where a bar takes what is printed for the other.
    open_console().print(Text("\n".join(lines or [f"{start}  no face"])), soft_wrap=True)


@contextmanager
def _progress(length_s: float | None) -> Iterator[Callable[[float], None]]:
    """A bar with the time left, to be told how far the work is."""
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=length_s)
        yield lambda time_s: progress.update(task, completed=time_s)


def _length_s(source: str, seconds: float | None) -> float | None:
    """How much of a source will be read, if that can be known."""
    original = open_again(source)
    if original is None:
        return seconds
    with original:
        length_s = float(original.duration / av.time_base)
    known = [time_s for time_s in (seconds, length_s) if time_s is not None and time_s > 0]
    return min(known, default=None)

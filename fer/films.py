"""Films read from beginning to end: an annotated copy, rows for every frame, and a summary."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from queue import Queue
from threading import Event, Thread

from fer.annotation import ExpressionAnnotator, FaceView
from fer.errors import OutputError
from fer.expressions import EXPRESSION_NAMES, FaceState
from fer.files import refuse_inputs, refuse_leftovers
from fer.media import TimedFrame, open_source
from fer.pictures import MAX_PIXELS
from fer.pipeline import ExpressionPipeline
from fer.recording import VideoRecorder
from fer.rows import Row, RowFile, make_rows, open_rows

NOT_CERTAIN = "not certain"
"""What a summary calls the faces whose expression could not be told for certain."""


@dataclass(frozen=True)
class FilmTask:
    """What is to be read, and what made of it.

    Attributes:
        source: The film, as `fer.media.open_source` takes it.
        copy: Where the annotated copy is to be, an ``.mp4``; None for none.
        rows: Where the rows are to be, as `fer.rows.open_rows` takes it; None for none.
        faces: How the copy shows faces.
        attention: Whether the copy shows what the network looks at.
        every: Read one frame of so many; the rest show its result.
        seconds: How much of the film, None for all.
        max_pixels: Of a larger frame no pixel is decoded.
        formats: What kinds of films are opened, as `fer.containers.open_container` takes them.
        name: What the rows say of where they come from; by default `source`.

    Raises:
        OutputError: The copy would hide faces in some frames only.
    """

    source: str
    copy: Path | None = None
    rows: Path | None = None
    faces: FaceView = FaceView.PLAIN
    attention: bool = False
    every: int = 1
    seconds: float | None = None
    max_pixels: int = MAX_PIXELS
    formats: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.hides and self.every > 1:
            raise OutputError(
                f"Faces that move cannot be hidden with --every {self.every}: between the frames "
                "that are read they would come out. Leave --every away, or --out."
            )

    @property
    def hides(self) -> bool:
        """Whether faces are hidden in the copy."""
        return self.copy is not None and self.faces.hides


@contextmanager
def open_outputs(
    source: str, copy: Path | None, rows: Path | None, formats: str = ""
) -> Iterator[tuple[VideoRecorder | None, RowFile | None]]:
    """Open what is made of a source: a video, rows, both or none.

    Args:
        source: As `fer.media.open_source` takes it.
        copy: As `FilmTask` has it.
        rows: The same.
        formats: The same.

    Yields:
        What takes the frames and the rows, each None if it is not wanted.

    Raises:
        OutputError: One cannot be written there, or would overwrite the source, or
            what a run that was killed has left.
    """
    refuse_inputs([copy, rows], [source])
    refuse_leftovers([copy, rows])
    with ExitStack() as opened:
        yield (
            opened.enter_context(VideoRecorder(copy, source, formats)) if copy else None,
            opened.enter_context(open_rows(rows)) if rows else None,
        )


def read_film(task: FilmTask, model: str | Path | None = None) -> Generator[list[Row], None, None]:
    """Read a film, frame by frame; whoever stops iterating stops the work.

    Close the iterator (`contextlib.closing`) to have the files finished: they
    hold what was read until then, and take their names with that.

    Args:
        task: What is to be read, and what made of it.
        model: As `fer.ExpressionPipeline` takes it.

    Yields:
        The rows of each frame that is read, as `fer.rows.make_rows` makes them.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
        OutputError: A file cannot be written, or only in part.
        SourceError: The film cannot be read, or only in part.
    """
    pipeline = ExpressionPipeline(model, search_always=task.hides)
    # Another where a film changes its size.
    annotator = lru_cache(1)(lambda height: ExpressionAnnotator(height, task.faces, task.attention))
    with (
        open_outputs(task.source, task.copy, task.rows, task.formats) as (copy, table),
        open_source(task.source, task.max_pixels, task.formats) as source,
        closing(_read_ahead(source)) as frames,
    ):
        for number, (frame, time_s) in enumerate(frames):
            if task.seconds is not None and time_s >= task.seconds:
                return
            if number % task.every == 0:
                detections = pipeline(frame, time_s)
                rows = make_rows(detections, task.name or task.source, number, time_s)
                if table:
                    table.write(rows)
            if copy:
                copy.write(annotator(len(frame)).annotate(frame, detections), time_s)
            if number % task.every == 0:
                yield rows
        if copy:
            copy.write_rest_of_sound()


def _read_ahead(frames: Iterable[TimedFrame], count: int = 3) -> Generator[TimedFrame, None, None]:
    """Give the same frames, of which the next few are decoded meanwhile, in another thread."""
    rest, left = iter(frames), Event()
    wanted: Queue[None] = Queue()
    coming: Queue[TimedFrame | Exception | None] = Queue()

    def decode() -> None:
        while True:
            wanted.get()
            if left.is_set():
                return
            try:
                coming.put(next(rest, None))
            except Exception as error:  # for the thread that reads
                coming.put(error)

    # Not of a pool, which would take no more work as soon as the program is to end.
    decoder = Thread(target=decode, name="decoder", daemon=True)
    decoder.start()
    try:
        for _ in range(count):
            wanted.put(None)
        while frame := coming.get():
            if isinstance(frame, Exception):
                raise frame
            wanted.put(None)
            yield frame
    finally:
        left.set()
        wanted.put(None)
        decoder.join()


@dataclass
class FilmSummary:
    """What a film showed, counted.

    Attributes:
        frames: How many were read.
        frames_with_face: In how many of them a face was.
        states: How many faces, each counted in every frame, were in which `FaceState`.
        named: How many of those that could be told for certain were which expression.
        end_s: Time of the last frame, in seconds.
    """

    frames: int = 0
    frames_with_face: int = 0
    states: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    end_s: float = 0.0

    def add(self, rows: list[Row]) -> None:
        """Count a frame, by its rows."""
        found = [row for row in rows if row["face"] is not None]
        self.frames += 1
        self.frames_with_face += bool(found)
        self.states.update(row["state"] for row in found)
        self.named.update(row["expression"] for row in found if row["state"] == FaceState.OK)
        self.end_s = rows[0]["time_s"]

    def shares(self) -> dict[str, float]:
        """Tell how often each expression was seen, of all faces, and how often that stayed open.

        Returns:
            The seven expressions in their order, then `NOT_CERTAIN`; together 1.
        """
        faces = self.states.total()
        counts = {name: self.named[name] for name in EXPRESSION_NAMES}
        counts[NOT_CERTAIN] = faces - self.named.total()
        return {name: count / max(faces, 1) for name, count in counts.items()}

"""Many photographs and videos at once, in parallel processes, into one file of rows."""

import hashlib
import multiprocessing
import shutil
import signal
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from fer.containers import FILM_SUFFIXES
from fer.errors import FerError, OutputError, SourceError
from fer.files import reason, refuse_leftovers, whole
from fer.pictures import SUFFIXES as PICTURE_SUFFIXES
from fer.rows import COLUMNS, RowFile, as_text, open_rows, read_rows
from fer.score_worker import Settings, read_into, start_worker

SUFFIXES = (*PICTURE_SUFFIXES, *FILM_SUFFIXES)
"""How the names of photographs and videos end."""

_ROWS_AT_ONCE = 1000


class ScoreRun:
    """Reads many files into one file of rows, and goes on where an earlier run was ended.

    The rows of each file wait in a part of their own, which appears when the
    file was read to its end, or as far as damage allows, and are put together by
    `merge`. So whatever ends a run costs the files that were just being read.

    Args:
        out: The file of rows. If it is there the files in it are done.
        errors: The CSV file that tells what could not be read, or only in part.
        settings: How files are read.

    Raises:
        OutputError: `out` or `errors` is something else, or cannot be written.
    """

    def __init__(self, out: Path, errors: Path, settings: Settings) -> None:
        self.parts = out.with_name(f"{out.name}.parts")
        self._out, self._errors, self._settings = out, errors, settings
        if not self.parts.exists():
            refuse_leftovers([out])
        open_rows(out).discard()  # to say now, not at the end, what hinders
        open_rows(errors).discard()
        self._done = _sources(out)
        self._in_part = {
            str(row["source"]): str(row["error"])
            for row in (read_rows(errors) if errors.exists() else ())
            if row["source"] in self._done
        }
        try:
            self.parts.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.parts} cannot be made: {reason(error)}.") from error
        self._give_up_begun()
        for source in self._done:  # an earlier run was killed between merging and tidying up
            self._part(source).unlink(missing_ok=True)
        for part in self.parts.glob("*.jsonl"):
            if not _is_whole(part):
                part.unlink()

    def _part(self, source: str | Path) -> Path:
        return self.parts / f"{hashlib.sha256(as_text(source).encode()).hexdigest()[:32]}.jsonl"

    def _begun(self, file: Path) -> Path:
        return self._part(file).with_suffix(".partial.jsonl")

    def _give_up_begun(self) -> None:
        for path in self.parts.glob("*.partial.jsonl"):
            path.unlink()

    def to_do(self, files: Iterable[Path]) -> list[Path]:
        """Which files were not read yet."""
        return [
            file
            for file in files
            if as_text(file) not in self._done and not self._part(file).exists()
        ]

    def read(
        self, files: Iterable[Path], workers: int
    ) -> Generator[tuple[Path, str | None], None, None]:
        """Read files in parallel processes.

        To leave the iteration ends the processes; the files that they were at
        are given up.

        Args:
            files: Photographs and videos.
            workers: How many processes.

        Yields:
            Each file when it is done, with a sentence if it could not be read, or only in part.

        Raises:
            OutputError: There is no room for the rows.
            FerError: The processes cannot be started.
        """
        left = dict.fromkeys(files)
        while left:
            with self._room_needed():
                for file, error in self._read(list(left), min(workers, len(left))):
                    del left[file]
                    yield file, error
            if not left:
                return
            # A process died of one of the files that were begun: each is tried by itself.
            begun = [file for file in left if self._begun(file).exists()]
            if not begun:
                raise FerError("The processes that read died at once: try it with --workers 1.")
            for file in begun:
                del left[file]
                yield from list(self._read([file], 1)) or [(file, f"{file} crashes its reader.")]

    def _read(
        self, files: Collection[Path], workers: int
    ) -> Generator[tuple[Path, str | None], None, None]:
        """Read files until all are done or a process dies."""
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        pool = ProcessPoolExecutor(workers, context, start_worker, (self._settings, stop))
        try:
            with _undisturbed():
                jobs = {pool.submit(read_into, self._part(file), file): file for file in files}
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BrokenProcessPool:
            return
        finally:
            with _undisturbed():
                stop.set()
                pool.shutdown(cancel_futures=True)

    def merge(self, failed: Mapping[Path, str]) -> int:
        """Put the rows that were read together with those of earlier runs, and tell what failed.

        Args:
            failed: Files that could not be read, or only in part, with a sentence each.

        Returns:
            How many these are, those of earlier runs included that are read in part.

        Raises:
            OutputError: There is no room for them; they are kept for the next run.
        """
        self._give_up_begun()
        parts = sorted(self.parts.glob("*.jsonl"), key=_first_source)
        told = self._in_part | {as_text(file): error for file, error in failed.items()}
        with self._room_needed(), ExitStack() as files:
            if parts:
                earlier = [self._out] if self._out.exists() else []
                file = files.enter_context(whole(open_rows(self._out)))
                for part in earlier + parts:
                    told |= _copy(part, file)
            self._tell(told)  # before the rows take their name, after which the parts are not read
        shutil.rmtree(self.parts)
        return len(told)

    def _tell(self, failed: Mapping[str, str]) -> None:
        """Write down which sources could not be read, or only in part."""
        if not failed:
            self._errors.unlink(missing_ok=True)
            return
        with whole(open_rows(self._errors, ("source", "error"))) as file:
            file.write({"source": source, "error": error} for source, error in failed.items())

    @contextmanager
    def _room_needed(self) -> Iterator[None]:
        try:
            yield
        except OutputError as error:
            raise OutputError(
                f"{self._out} takes no more rows; see that the disk has room, then run the same "
                f"command again: what was read is kept in {self.parts}."
            ) from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C, as do the processes that are started now: a terminal sends it to all."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _sources(out: Path) -> set[str]:
    """What a file of rows has rows of."""
    sources = set()
    try:
        for row in read_rows(out) if out.exists() else ():
            if row.keys() != COLUMNS.keys():
                raise SourceError(f"{out} has other columns.")
            sources.add(str(row["source"]))
    except SourceError as error:
        raise OutputError(
            f"{out} is there already and holds no rows like these: choose another name."
        ) from error
    return sources


def _is_whole(part: Path) -> bool:
    """Whether a part can be read: after a power cut it may end amid a line, or be empty."""
    try:
        return sum(1 for _ in read_rows(part)) > 0
    except SourceError:
        return False


def _first_source(part: Path) -> str:
    return str(next(read_rows(part))["source"])


def _copy(part: Path, file: RowFile) -> dict[str, str]:
    """Copy rows; return what the last one says instead if the source was read only in part."""
    told = {}
    rows = read_rows(part)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        if "error" in some[-1]:
            last = some.pop()
            told[str(last["source"])] = str(last["error"])
        file.write(some)
    return told

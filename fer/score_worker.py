"""What reads files for `fer.scoring`, in a process of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

import cv2

from fer.errors import FerError, OutputError, SourceError
from fer.files import whole
from fer.media import FileSource
from fer.pictures import SUFFIXES as PICTURE_SUFFIXES
from fer.pictures import read_picture
from fer.pipeline import ExpressionPipeline
from fer.rows import Row, as_text, make_rows, open_rows


class Settings(NamedTuple):
    """How files are read.

    Attributes:
        model: Another model, as `fer.ExpressionPipeline` takes it.
        every: Of a video every how many-th frame is read.
    """

    model: Path | None = None
    every: int = 1


class _Reader:
    """What a worker process reads with."""

    def __init__(self, settings: Settings, stop: Event) -> None:
        self._every, self._stop = settings.every, stop
        self._photographs = ExpressionPipeline(settings.model, live=False)
        self._videos = ExpressionPipeline(settings.model)

    def read(self, file: Path, part: Path) -> str | None:
        """Read a file; return why it could not be read, or only in part, if so."""
        begun = False
        try:
            with whole(open_rows(part)) as rows:
                try:
                    for some in self._rows(file):
                        rows.write(some)
                        begun = True
                except SourceError as error:
                    if begun:  # what was read until then is kept
                        rows.write([{"source": as_text(file), "error": str(error)}])
                    return str(error)
        except OutputError:
            raise
        except FerError as error:
            return str(error)
        except Exception as error:  # whatever a bad file brings a library to
            return f"{file} cannot be read: {error!r}."
        return None

    def _rows(self, file: Path) -> Iterator[list[Row]]:
        if file.suffix.lower() in PICTURE_SUFFIXES:
            yield make_rows(self._photographs(read_picture(file)), file)
            return
        self._videos.reset()
        with FileSource(str(file)) as frames:
            for number, (frame, time_s) in enumerate(frames):
                if self._stop.is_set():
                    raise FerError(f"{file} was given up.")
                if number % self._every == 0:
                    yield make_rows(self._videos(frame, time_s), file, number, time_s)


_reader: _Reader


def start_worker(settings: Settings, stop: Event) -> None:
    """Prepare a worker process, which the parent alone tells to stop.

    Args:
        settings: How files are read.
        stop: Set when a video at hand is to be given up.
    """
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries' notes would break the progress bar
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _reader = _Reader(settings, stop)


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its workers, who would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def read_into(part: Path, file: Path) -> str | None:
    """Read a file into its part; return why it could not be read, or only in part, if so.

    The rows of a file that could be read only in part end with one of the columns ``source``
    and ``error``.

    Raises:
        OutputError: There is no room for the rows.
    """
    return _reader.read(file, part)

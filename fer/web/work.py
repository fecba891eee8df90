"""Films that visitors sent, read beside the page: one at a time on the server, the others wait."""

import logging
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from fer.cores import yield_to_others
from fer.errors import FerError
from fer.expressions import EXPRESSION_NAMES, READABLE
from fer.films import FilmSummary, FilmTask, read_film
from fer.rows import Row
from fer.web.timeline import Timeline

FILMS_AT_ONCE = 1
"""How many films the server reads at the same time: each keeps two processors busy."""

_STEP_S, _STEPS = 0.1, 240  # of the timeline: until there are more, which are joined
_PATIENCE_S = 10.0  # for the thread to end
_NICENESS = 10  # of what has time: who is live goes first

logger = logging.getLogger(__name__)

_turns = threading.Condition()
_queue: list["FilmWork"] = []


class FilmWork:
    """A film that is read in a thread of its own, which begins at once or when it is its turn.

    Attributes may be read while the thread works.

    Args:
        task: What is to be read, and what made of it.
        length_s: How long the film is, in seconds; an estimate will do.
        model: As `fer.ExpressionPipeline` takes it.

    Attributes:
        task: The same.
        length_s: The same.
        summary: What was seen until now.
        timeline: The mean of all faces until now.
        fault: Why it ended early, in a sentence; empty if it did not.
        cancelled: Whether it was cancelled.
    """

    def __init__(self, task: FilmTask, length_s: float, model: str | Path | None = None) -> None:
        self.task = task
        self.length_s = length_s
        self.summary = FilmSummary()
        self.timeline = Timeline(_STEP_S, _STEPS, whole=True)
        self.fault = ""
        self._model = model
        self._began_s = 0.0
        self._cancelled = threading.Event()
        with _turns:
            _queue.append(self)
        self._thread = threading.Thread(target=self._run, name="film", daemon=True)
        self._thread.start()

    @property
    def cancelled(self) -> bool:  # noqa: D102 (see the class)
        return self._cancelled.is_set()

    @property
    def done(self) -> bool:
        """Whether it came to its end, of whatever kind; its files are there then."""
        return not self._thread.is_alive()

    @property
    def waits_for(self) -> int:
        """How many films come before it."""
        with _turns:
            return max(0, _queue.index(self) - FILMS_AT_ONCE + 1) if self in _queue else 0

    @property
    def share(self) -> float:
        """How much of the film was read, from 0 to 1."""
        return min(1.0, self.summary.end_s / self.length_s)

    @property
    def left_s(self) -> float | None:
        """How many seconds it may still take; None as long as that cannot be told."""
        if not self._began_s or self.share < 0.01:
            return None
        return (time.monotonic() - self._began_s) * (1 - self.share) / self.share

    def cancel(self) -> None:
        """Stop it, and wait until its files are finished, but not for ever.

        They hold what was read until then; `done` says when they are there.
        """
        self._cancelled.set()
        with _turns:
            _turns.notify_all()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        yield_to_others(_NICENESS)
        try:
            with _turns:
                _turns.wait_for(lambda: self.cancelled or self in _queue[:FILMS_AT_ONCE])
            if not self.cancelled:
                self._read()
        except FerError as error:
            self.fault = str(error)
        except Exception:
            logger.exception("A film could not be read.")
            self.fault = "This film cannot be read: the program has an error, which its log tells."
        finally:
            with _turns:
                _queue.remove(self)
                _turns.notify_all()

    def _read(self) -> None:
        self._began_s = time.monotonic()
        with closing(read_film(self.task, self._model)) as reading:
            for rows in reading:
                self.timeline.add(rows[0]["time_s"], _mean_scores(rows))
                self.summary.add(rows)
                if self.cancelled:
                    return


def _mean_scores(rows: list[Row]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """The mean of the faces that could be read, of shape (7,)."""
    readable = [row for row in rows if row["state"] in READABLE]
    if not readable:
        return None
    return np.asarray(np.mean([[row[name] for name in EXPRESSION_NAMES] for row in readable], 0))

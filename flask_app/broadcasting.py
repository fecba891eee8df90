"""One source and one thread that reads it, for any number of viewers."""

import atexit
import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator

from fer.cameras import CAMERA_SIZE
from fer.errors import SourceError
from fer.media import Source, TimedFrame
from fer.pipeline import ExpressionPipeline
from fer.playback import JOIN_S, play
from fer.returning import RETRY_S
from flask_app.view import State, View

LINGER_S = 1.0
"""How long a source stays open without a viewer, so that a reloaded page finds it open."""

QUIET_S = 5.0
"""Without anything new for so long, viewers get the same view again: some are gone by then."""

_SHORTEST_ROUND_S = 0.5  # of a film that loops: a picture is a film of one frame

_log = logging.getLogger(__name__)


class Broadcaster:
    """Reads a source while somebody watches, and shows each viewer the newest frame.

    A lost source is opened again until it comes back. Where a film does not
    loop, its end sends the viewers home, and the next one sees it from its start.

    Args:
        open_source: Opens the source; called by the thread that reads it.
        pipeline: Belongs to that thread from now on.
        loop: Whether a film begins again at its end.
    """

    def __init__(
        self, open_source: Callable[[], Source], pipeline: ExpressionPipeline, *, loop: bool = True
    ) -> None:
        self._open, self._pipeline, self._loop = open_source, pipeline, loop
        self._size = CAMERA_SIZE
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        # The rest belongs to whoever holds this.
        self._changed = threading.Condition()
        self._viewers: set[object] = set()
        self._left_s = -math.inf
        self._view: View | None = None

    @property
    def state(self) -> State:
        """What the source does now."""
        with self._changed:
            if self._view:
                return self._view.state
            return State.OPENING if self._viewers else State.CLOSED

    @property
    def viewers(self) -> int:
        """How many watch now."""
        with self._changed:
            return len(self._viewers)

    def watch(self) -> Generator[View | None, None, None]:
        """Watch until the iterator is closed or the film ends.

        Yields:
            The newest view whenever there is a new one, and the same again after
            `QUIET_S`; None as long as there is none at all.
        """
        viewer = object()
        seen: View | None = None
        with self._changed:
            self._viewers.add(viewer)
            if self._thread is None:
                # A read that never returns must not keep the program alive.
                self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
                self._thread.start()
                # One that is in OpenCV while Python ends would abort the process.
                atexit.register(self.close)
            self._changed.notify_all()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._view is not seen or viewer not in self._viewers,  # noqa: B023
                        QUIET_S,
                    )
                    if viewer not in self._viewers:
                        return
                    seen = self._view
                yield seen
        finally:
            with self._changed:
                self._viewers.discard(viewer)
                self._left_s = time.monotonic()

    def close(self) -> None:
        """Let go of the source for good; a second time does nothing."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread:
            self._thread.join(JOIN_S)
        atexit.unregister(self.close)

    def _run(self) -> None:
        while self._wait_for_viewers():
            begun = time.monotonic()
            try:
                ended = self._show()
            except Exception as error:
                self._lose(error)
                self._closing.wait(RETRY_S)
            else:
                if ended and not self._loop:
                    self._send_home()
                self._closing.wait(begun + _SHORTEST_ROUND_S - time.monotonic())

    def _wait_for_viewers(self) -> bool:
        """Rest until somebody watches; False if the end has come."""
        with self._changed:
            if not self._viewers:
                self._view = None
            self._changed.wait_for(lambda: self._viewers or self._closing.is_set())
        return not self._closing.is_set()

    def _show(self) -> bool:
        """Show the source until it ends (True) or nobody watches it (False)."""
        self._pipeline.reset()
        with self._open() as source:
            for played in play(_frames(source), self._pipeline, live=source.live):
                if not self._is_watched():
                    return False
                self._size = played.scene.shape[1::-1]
                view = View.live(played)
                self._closing.wait(played.due_s - time.monotonic())
                self._publish(view)
        return True

    def _is_watched(self) -> bool:
        if self._closing.is_set():
            return False
        with self._changed:
            return bool(self._viewers) or time.monotonic() - self._left_s < LINGER_S

    def _publish(self, view: View) -> None:
        with self._changed:
            self._view = view
            self._changed.notify_all()

    def _lose(self, error: Exception) -> None:
        """Tell the viewers that there is no picture, and the log why: it may name an address."""
        if self.state != State.LOST:
            _log.warning("%s", error, exc_info=not isinstance(error, SourceError))
        self._publish(View.lost(self._size))

    def _send_home(self) -> None:
        with self._changed:
            self._viewers.clear()
            self._view = None
            self._changed.notify_all()


def _frames(source: Source) -> Iterator[TimedFrame]:
    """Give the frames. A damaged film ends where it can be read no further; a camera never ends."""
    given = False
    try:
        for frame in source:
            given = True
            yield frame
    except SourceError as error:
        if source.live or not given:
            raise
        _log.warning("%s", error)
    if source.live:
        raise SourceError("The camera gives no more pictures.")

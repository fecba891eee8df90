"""What the server keeps of a visitor, and only as long as the visit lasts.

Streamlit lets go of a session whose browser has left only when the next one
leaves, and of its session-wide caches as soon as the connection is lost, which
a phone does whenever it is locked. So a visit is looked after here: it outlives
a short absence, and after a longer one everything of it goes, Streamlit's own
memory of the session included.
"""

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import numpy.typing as npt
import streamlit as st
import supervision as sv
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fer.expressions import READABLE
from fer.web.memory import give_back_soon

_PREFIX = "fer-visit-"
_ROOM = 2.5  # side of what is kept round a face, in sides of its box
_ROOM_SIDE = 960  # pixels of the same, at most
_ABSENCE = 0.75  # of the time for which Streamlit keeps a session: after that it forgets its id
_LOOK = 0.05  # of the same time, between two looks at who is there
_ABANDONED_S = 300.0  # since a folder's server last looked: it was killed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastFace:
    """A face that was read, to be shown on its way through the program.

    Attributes:
        frame: The part of a picture round it, BGR, uint8 of shape (H, W, 3), not drawn on.
        box: Round the face, `xyxy` in pixels, float32 of shape (4,).
    """

    frame: npt.NDArray[np.uint8]
    box: npt.NDArray[np.float32]

    @classmethod
    def of(cls, picture: npt.NDArray[np.uint8], detections: sv.Detections) -> "LastFace | None":
        """Copy the largest face that can be read, and little of what is round it.

        Args:
            picture: BGR, uint8 of shape (H, W, 3).
            detections: What `fer.ExpressionPipeline` returned for it.

        Returns:
            None if no face can be read.
        """
        readable = np.isin(detections.data["state"], READABLE)
        if not readable.any():
            return None
        box = detections.xyxy[readable][detections.area[readable].argmax()]
        height, width = picture.shape[:2]
        part = sv.clip_boxes(sv.scale_boxes(box[np.newaxis], _ROOM), (width, height))[0].round()
        if not (part[2:] - part[:2]).all():
            return None
        scale = min(1.0, _ROOM_SIDE / (part[2:] - part[:2]).max())
        frame = cv2.resize(sv.crop_image(picture, part), None, fx=scale, fy=scale)
        corner = np.tile(part[:2], 2)
        return cls(np.asarray(frame, np.uint8), ((box - corner) * scale).astype(np.float32))


@dataclass(eq=False)
class Visit:
    """One browser tab, from its opening until it is closed or loaded again.

    Made by `current_visit`. A media thread may be given it: nothing here is
    Streamlit's.

    Attributes:
        last_face: The face seen last, None before the first; in memory only. It
            is replaced, never changed.
    """

    last_face: LastFace | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(
            prefix=_PREFIX, ignore_cleanup_errors=True
        )
    )
    _callbacks: ExitStack = field(default_factory=ExitStack)

    @property
    def folder(self) -> Path:
        """Where files of the visit may lie; it goes with the visit."""
        return Path(self._folder.name)

    def before_end(self, callback: Callable[[], None]) -> None:
        """Have something called before the folder goes, from another thread: to end what writes."""
        self._callbacks.callback(callback)

    def end(self) -> None:
        """Delete what is left of the visit."""
        try:
            self._callbacks.close()
        finally:
            self.last_face = None
            self._folder.cleanup()
            give_back_soon()


def current_visit() -> Visit:
    """Give the visit of the script's run; not for other threads.

    It ends a minute and a half after the browser left (three quarters of
    Streamlit's ``server.disconnectedSessionTTL``), and with the server.
    """
    visit: Visit | None = st.session_state.get("visit")
    if visit is None or not visit.folder.exists():
        visit = st.session_state["visit"] = _CARETAKER.open()
    return visit


class _Caretaker:
    """Ends the visits whose browsers have left, from a thread of its own."""

    def __init__(self) -> None:
        self._sessions: dict[Visit, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def open(self) -> Visit:
        _delete_abandoned({visit.folder for visit in list(self._sessions)})
        visit, context = Visit(), get_script_run_ctx()
        with self._lock:
            self._sessions[visit] = context.session_id if context else ""
            if not self._thread:
                self._thread = threading.Thread(target=self._watch, name="visits", daemon=True)
                self._thread.start()
                atexit.register(self._close)
        return visit

    def _watch(self) -> None:
        kept_s = float(st.get_option("server.disconnectedSessionTTL"))
        seen_s: WeakKeyDictionary[Visit, float] = WeakKeyDictionary()
        while True:
            time.sleep(min(_LOOK * kept_s, _ABANDONED_S / 5))
            for visit, session in list(self._sessions.items()):
                try:
                    self._look_after(visit, session, seen_s, _ABSENCE * kept_s)
                except Exception:  # the other visits must end in their time all the same
                    logger.exception("A visit could not be looked after.")

    def _look_after(
        self, visit: Visit, session: str, seen_s: WeakKeyDictionary[Visit, float], absence_s: float
    ) -> None:
        """End a visit whose browser was not seen for too long."""
        if not runtime.exists():
            return
        now_s = time.monotonic()
        if visit not in seen_s or runtime.get_instance().is_active_session(session):
            seen_s[visit] = now_s
        if now_s - seen_s[visit] > absence_s:
            self._end(visit)
            # What was made to be fetched goes at the end of a run, and there may be none any more.
            runtime.get_instance().media_file_mgr.remove_orphaned_files()
            # Meant for a log-out; nothing else makes Streamlit let go of a session.
            runtime.get_instance().clear_user_info_for_session(session)
        with suppress(OSError):
            os.utime(visit.folder)

    def _end(self, visit: Visit) -> None:
        with self._lock:
            self._sessions.pop(visit, None)
        try:
            visit.end()
        except Exception:
            logger.exception("A visit did not end well; its files are deleted all the same.")

    def _close(self) -> None:
        for visit in list(self._sessions):
            self._end(visit)


def _delete_abandoned(own: set[Path]) -> None:
    """Delete the folders of servers that were killed, and could not do it; of this one none."""
    for folder in set(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")) - own:
        with suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _ABANDONED_S:
                shutil.rmtree(folder)


_CARETAKER = _Caretaker()

"""Files that visitors send, and those that they take with them.

Streamlit holds what is sent in memory until the script takes it, however many
files a visitor chooses at once. So what waits there is limited here. And what is
made to be fetched it deletes too soon.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.exceptions import HTTPException
from streamlit.runtime import media_file_manager
from streamlit.runtime.media_file_storage import MediaFileKind
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from fer.errors import OutputError
from fer.files import reason
from fer.web.memory import give_back_soon

_LONGEST_NAME = 60
_FETCH_S = 60.0  # in which a browser has begun to fetch what was made for it
_VISITORS = 4  # whose files may wait at the same time, each with as much as is allowed

_add_file = MemoryUploadedFileManager.add_file
_remove_session_files = MemoryUploadedFileManager.remove_session_files
_refused: Counter[str] = Counter()  # how many files of each session, until it is told or forgotten


class FileToFetch(media_file_manager.MediaFileMetadata):
    """What Streamlit knows of a file in its memory; one that was made for a download stays a while.

    By itself it goes when two runs of a script have ended, whosever they are: while
    another visitor's stream is followed, in less than a second.

    Args:
        kind: As Streamlit has it.
    """

    def __init__(self, kind: MediaFileKind) -> None:
        super().__init__(kind)
        self._until_s = time.monotonic() + _FETCH_S

    @property
    def is_marked_for_delete(self) -> bool:
        """Whether it may go."""
        return time.monotonic() > self._until_s


def take_over() -> None:
    """Have Streamlit refuse what is too much to wait, and keep a while what is to be fetched."""
    _ = MemoryUploadedFileManager("").file_storage  # another version may have another name for it
    MemoryUploadedFileManager.add_file = _add_if_there_is_room  # type: ignore[assignment, method-assign]
    MemoryUploadedFileManager.remove_session_files = _forget  # type: ignore[assignment, method-assign]
    _ = media_file_manager.MediaFileMetadata
    media_file_manager.MediaFileMetadata = FileToFetch  # type: ignore[assignment, misc]


def _add_if_there_is_room(
    manager: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec
) -> None:
    """Keep a file, unless its session's would be more than one file may be, or all more yet."""
    waiting = {session: _size(files) for session, files in list(manager.file_storage.items())}
    size, most = len(file.data), _most_megabytes() * 2**20
    if waiting.get(session_id, 0) + size > most or sum(waiting.values()) + size > _VISITORS * most:
        _refused[session_id] += 1
        raise HTTPException(413, "Too many files at once")
    _add_file(manager, session_id, file)


def _forget(manager: MemoryUploadedFileManager, session_id: str) -> None:
    """Let go of a session's files, those that were refused included."""
    _refused.pop(session_id, None)
    _remove_session_files(manager, session_id)


def _size(files: dict[str, UploadedFileRec]) -> int:
    return sum(len(file.data) for file in list(files.values()))


def _most_megabytes() -> int:
    return int(st.get_option("server.maxUploadSize"))


def asked_for(widget: Callable[..., Any], label: str, **options: Any) -> list[UploadedFile]:
    """Draw a widget that takes files.

    Args:
        widget: `st.file_uploader` or `st.camera_input`.
        label: What stands over it.
        **options: What else it takes.

    Returns:
        What arrived, until each is taken with `take`, or all are by `empty`.
    """
    turn = st.session_state.setdefault("uploads", 0)
    key, context = f"{label}-{turn}", get_script_run_ctx()  # of another page another widget
    if context and key not in st.session_state:  # what still waits was sent to one that is gone
        context.uploaded_file_mgr.remove_session_files(context.session_id)
    files = widget(label, key=key, **options)
    return files if isinstance(files, list) else [files] if files else []


def take(upload: UploadedFile, path: Path) -> None:
    """Move a file from Streamlit's memory to a place of our own.

    Args:
        upload: One of those that `asked_for` gave.
        path: Where it is to be.

    Raises:
        OutputError: There is no room for it.
    """
    try:
        path.write_bytes(upload.getvalue())  # a buffer would be a copy
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"{upload.name} cannot be kept here: {reason(error)}.") from error
    finally:
        context = get_script_run_ctx()
        if context and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
            context.uploaded_file_mgr.remove_file(context.session_id, upload.file_id)


def left_out() -> str:
    """Tell, once, how many files were too much to be sent together; empty if none were."""
    context = get_script_run_ctx()
    count = _refused.pop(context.session_id, 0) if context else 0
    files = "1 file was" if count == 1 else f"{count} files were"
    most = f"expected {_most_megabytes()} MB at most at a time."
    return f"{files} left out: {most}" if count else ""


def empty() -> None:
    """Have the widget of `asked_for` empty when the script runs anew, which it does at once."""
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
    give_back_soon()
    st.rerun()


def download(label: str, data: Callable[[], bytes], name: str, kind: str) -> None:
    """Draw a button that fetches a file, which is made or read only then.

    Args:
        label: What stands on it.
        data: Gives the file's content.
        name: How the file will be called.
        kind: Its media type.
    """
    st.download_button(
        label, data, name, kind, key=name, on_click="ignore", icon=":material/download:"
    )


def plain(text: str) -> str:
    """Have Markdown show a text as it is, whatever characters a visitor gave a file's name."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def short(name: str) -> str:
    """Cut a long name in its middle."""
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"

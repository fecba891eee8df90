"""Files that visitors send, and those that they take with them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fer.errors import OutputError
from fer.files import reason

_LONGEST_NAME = 60


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
    files = widget(label, key=f"{widget.__name__}-{turn}", **options)
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
        path.write_bytes(upload.getbuffer())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"{upload.name} cannot be kept here: {reason(error)}.") from error
    finally:
        context = get_script_run_ctx()
        manager = runtime.get_instance().uploaded_file_mgr if runtime.exists() else None
        if context and isinstance(manager, MemoryUploadedFileManager):
            manager.remove_file(context.session_id, upload.file_id)


def empty() -> None:
    """Have the widget of `asked_for` empty when the script runs anew, which it does at once."""
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
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

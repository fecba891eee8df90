"""What the server keeps of a visitor, and only as long as the visit lasts."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st


@dataclass(frozen=True)
class LastFace:
    """A face that was read, to be shown on its way through the program.

    Attributes:
        frame: The picture it was found in, BGR, uint8 of shape (H, W, 3), not drawn on.
        box: Round the face, `xyxy` in pixels, float32 of shape (4,).
    """

    frame: npt.NDArray[np.uint8]
    box: npt.NDArray[np.float32]


@dataclass
class Visit:
    """One browser tab, from its opening until it is closed.

    Made by `current_visit`. A media thread may be given it: nothing here is
    Streamlit's.

    Attributes:
        last_face: The face seen last, None before the first; in memory only. It
            is replaced, never changed.
    """

    last_face: LastFace | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="fer-visit-")
    )

    @property
    def folder(self) -> Path:
        """Where files of the visit may lie; it goes with the visit."""
        return Path(self._folder.name)

    def end(self) -> None:
        """Delete what is left of the visit."""
        self.last_face = None
        self._folder.cleanup()


@st.cache_resource(scope="session", on_release=Visit.end, show_spinner=False)
def current_visit() -> Visit:
    """Give the visit of the script's run; not for other threads.

    Streamlit ends it two minutes after the tab was closed.
    """
    return Visit()

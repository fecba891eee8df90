"""How the visitor wants faces to be shown: one choice for all pages."""

import functools
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from fer.annotation import FaceView
from fer.classification import ExpressionClassifier
from fer.web.visit import current_visit

_FACES = {
    FaceView.PLAIN: "Plain",
    FaceView.BESIDE: "With avatar",
    FaceView.INSTEAD: "Avatar",
    FaceView.BLUR: "Blurred",
}

HIDDEN = (
    "The faces that the program finds are hidden. One that it does not find, "
    "from the side for example, stays to be seen."
)
ATTENTION = "A heat map: the warmer, the more that part of the face spoke for its expression."
NO_ATTENTION = "The network of this model keeps no maps of what it sees."


class Look(NamedTuple):
    """What is shown.

    Attributes:
        faces: Of the faces themselves.
        attention: Whether what the network sees.
    """

    faces: FaceView
    attention: bool


def chosen_faces() -> FaceView:
    """Give what was chosen with `choose_look`, at once: before the page draws it."""
    return FaceView(st.session_state.get("view_faces", FaceView.PLAIN))


def choose_look(model: str | Path | None) -> Look:
    """Draw the switches; they keep their positions for the visit.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """
    possible = _has_attention(model)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        faces = st.segmented_control(
            "Faces",
            list(_FACES),
            default=FaceView.PLAIN,
            required=True,
            format_func=_FACES.__getitem__,
            key="view_faces",
            persist_state="session",
            label_visibility="collapsed",
        )
        attention = st.toggle(
            "What the network sees",
            key="view_attention",
            persist_state="session",
            help=ATTENTION if possible else NO_ATTENTION,
            disabled=not possible,
        )
    look = Look(FaceView(faces), attention and possible)
    with st.container():  # always there, so that what is below stays the same element
        if look.faces.hides:
            st.caption(HIDDEN)
            current_visit().last_face = None
    return look


@functools.cache
def _has_attention(model: str | Path | None) -> bool:
    """Look only once: the live page draws its switches every second."""
    return ExpressionClassifier(model).has_attention

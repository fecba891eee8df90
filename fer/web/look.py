"""How the visitor wants faces to be shown: one choice for all pages."""

from typing import NamedTuple

import streamlit as st

from fer.annotation import FaceView

_FACES = {
    FaceView.PLAIN: "Plain",
    FaceView.BESIDE: "With avatar",
    FaceView.INSTEAD: "Avatar",
    FaceView.BLUR: "Blurred",
}


class Look(NamedTuple):
    """What is shown.

    Attributes:
        faces: Of the faces themselves.
        attention: Whether what the network sees.
    """

    faces: FaceView
    attention: bool


def choose_look() -> Look:
    """Draw the switches; they keep their positions for the visit."""
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
            help="A heat map: the warmer, the more that part of the face spoke for its expression.",
        )
    return Look(FaceView(faces), attention)

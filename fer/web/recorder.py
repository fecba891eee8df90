"""The live page's recorder: begin, watch, end, download, delete."""

import streamlit as st

from fer.clock import clock
from fer.web.capture import LIMIT_S
from fer.web.stream import LiveStream
from fer.web.uploads import download

_TERMS = f"What the picture shows, without sound, for {LIMIT_S / 60:.0f} minutes at most."


def show_recorder(stream: LiveStream) -> None:
    """Draw what begins and ends a recording, and how long it is.

    Args:
        stream: What may be recorded; it is running.
    """
    capture = stream.capture
    if capture and not capture.over:
        icon = ":material/stop_circle:"
        st.button("Stop recording", on_click=stream.stop_recording, icon=icon)
        length = f"{clock(capture.seconds)} of {clock(LIMIT_S)}"
        st.markdown(f":red[●] **Recording** {length}", width="content")
        return
    icon = ":material/radio_button_checked:"
    st.button("Record", on_click=stream.record, icon=icon, help=_TERMS)
    if capture:
        # Not at once: this is drawn anew every second, at which a download breaks off.
        length = clock(capture.seconds)
        st.markdown(f"**Recorded** {length}: press STOP to download it.", width="content")


def offer_recording(stream: LiveStream) -> None:
    """Draw what is to be done with a recording, if there is one.

    Args:
        stream: What was recorded; it is over.
    """
    capture = stream.capture
    if not capture or not capture.over or not capture.path.exists():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"Download the recording ({clock(capture.seconds)})"
        download(label, capture.path.read_bytes, "expressions.mp4", "video/mp4")
        st.button("Delete it", on_click=stream.delete_recording, icon=":material/delete:")
    st.caption("It is deleted when you leave or record again.")


def tell_problem(stream: LiveStream) -> None:
    """Say why there is no recording, or why it ended early.

    Args:
        stream: What was to be recorded.
    """
    if problem := stream.problem or (stream.capture and stream.capture.problem):
        st.warning(problem)

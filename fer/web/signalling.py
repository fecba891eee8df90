"""What streamlit-webrtc keeps of its component, put right each time before that is drawn.

It counts on runs of the script that come one after the other, each to its end.
But Streamlit begins a run before it has broken off the last one, and may break
off any.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit_webrtc import component

KEY = "live"
"""Of the component, in Streamlit's session state."""


def state() -> component.WebRtcStreamerState:
    """Give what the browser said last of its connection: none, before it said anything."""
    return component.compile_state(_said())


@contextmanager
def drawing(lock: threading.Lock) -> Iterator[None]:
    """Draw the component in here, which one run of the visit does at a time.

    A run that ends a connection takes its time, and would end as well what the
    next one begins meanwhile. What it noted last, that nothing runs, is put right
    by what the browser has said since. And where it was broken off before it came
    to that, the next offer would be taken for the last one, and never be answered.

    Args:
        lock: Of the visit.
    """
    with lock:
        noted = _noted()
        absent = st.session_state.get("absent_after") == noted
        # One more than streamlit-webrtc noted last, even if the run is broken off before it notes
        # that: it compares the two.
        st.session_state["draws"] = noted + (2 if absent else 1)
        if context := st.session_state.get(KEY):
            offer = _said().get("sdpOffer")
            if offer and offer != st.session_state.get("offer"):
                component._reset_context(context)
                st.session_state["offer"] = offer
            context._set_state(state())
        yield


def count_absence() -> None:
    """Note that a run of the script leaves the component out: it begins anew when it is back."""
    st.session_state["absent_after"] = _noted()


def draws(session: object = None) -> int:
    """Count the runs that drew the component, in the place of streamlit-webrtc's own count.

    That takes two runs of the script without the component for a page that was
    left, and ends the stream; on a busy machine they were only broken off before
    they came to it.

    Args:
        session: Ignored.
    """
    return int(st.session_state.get("draws", 0))


def _said() -> dict[str, Any]:
    key = component.generate_frontend_component_key(KEY)
    return st.session_state.get(key) or {}


def _noted() -> int:
    context = st.session_state.get(KEY)
    return (context and context._last_rendered_run_count) or 0

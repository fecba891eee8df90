"""What the live page says after STOP."""

import numpy as np
import streamlit as st

from fer.clock import clock
from fer.expressions import EXPRESSION_NAMES, REASONS, FaceState
from fer.films import NOT_CERTAIN, FilmSummary
from fer.web.faces import bars_html
from fer.web.history import SAMPLES_PER_S, History
from fer.web.timeline import chart_html, percent
from fer.web.uploads import download


def show_summary(history: History) -> None:
    """Draw the summary of a stream that is over.

    Args:
        history: What was seen.
    """
    st.html(summary_html(history))
    if history.full:
        st.warning("The rows end early: there was no room for more.")
    if history.rows.exists():
        download("Download the rows", history.rows.read_bytes, "expressions.csv", "text/csv")
        st.caption(
            f"{SAMPLES_PER_S} rows a second for each face; deleted at the next START, "
            "or when you leave."
        )


def summary_html(history: History) -> str:
    """Say how long a stream was, and what it showed.

    Args:
        history: What was seen.
    """
    length = clock(history.seconds)
    shares = history.summary.shares()
    bars = np.array([shares[name] for name in EXPRESSION_NAMES])
    if not history.summary.states:
        return bars_html(f"No face was seen in {length} of video.", bars)
    return (
        bars_html(f"In {length} of video the program saw", bars)
        + f"<p>{uncertain(history.summary)}</p>"
        + chart_html(history.whole.columns(), "0:00", length)
    )


def uncertain(summary: FilmSummary) -> str:
    """Say how often a face's expression could not be told for certain, and why."""
    share = summary.shares()[NOT_CERTAIN]
    reasons = [
        f"{REASONS[FaceState(state)]} {percent(count / summary.states.total())}"
        for state, count in summary.states.most_common()
        if state != FaceState.OK
    ]
    return f"Not certain: {percent(share)}" + (f" ({', '.join(reasons)})." if reasons else ".")

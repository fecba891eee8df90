"""What stands beside the live picture: the newest result, or what to do where there is none."""

import time
from typing import Any, TypeAlias

import streamlit as st
from streamlit_webrtc import WebRtcStreamerContext

from fer.web.advice import delay_html, pulse_html, round_trip_s
from fer.web.connection import BROWSER_VARIABLE
from fer.web.faces import empty_html, faces_html
from fer.web.history import History
from fer.web.pages import link
from fer.web.processor import ExpressionVideoProcessor, Reading
from fer.web.stream import LiveStream
from fer.web.summary import show_summary

Stream: TypeAlias = WebRtcStreamerContext[ExpressionVideoProcessor, Any]

PATIENCE_S = 10.0
"""Seconds without a frame after which the page says what to do."""

REFRESH_S = 0.4
"""Seconds between two looks at the newest result."""

NO_FRAME = (
    "No picture has arrived: press STOP, if it is there, and START again. If that does not help, "
    "a firewall is in the way: networks with strict ones need a TURN server, which whoever runs "
    f"this page names in {BROWSER_VARIABLE}. A photo or a video works without."
)

LOST = "The connection or the camera was lost: press STOP, if it is there, and START again."


def follow(stream: LiveStream, context: Stream | None, lost: bool) -> None:
    """Show the newest result, again and again while the stream runs.

    Args:
        stream: Of the visit.
        context: What `webrtc_streamer` returned; None while nothing runs.
        lost: Whether the browser lost the connection.
    """
    if context and not stream.started_s:
        stream.started_s, stream.gave_up = time.monotonic(), False
    elif not context and stream.started_s:
        # Firefox gives up what cannot connect before the page does.
        stream.gave_up = not (stream.turned_away or _last_frame_s(stream))
        stream.started_s = 0.0
    st.fragment(_panel, run_every=REFRESH_S if context else None)(stream, context, lost)


def _last_frame_s(stream: LiveStream) -> float | None:
    """When a frame came last, None if there was none since START."""
    last_s = stream.processor and stream.processor.last_frame_s
    return last_s if last_s and last_s > stream.started_s else None


def _trouble(stream: LiveStream, context: Stream | None, lost: bool) -> str | None:
    """Say what to do where there is no picture though there should be."""
    if not context:
        return NO_FRAME if stream.gave_up else LOST if lost else None
    last_s = _last_frame_s(stream)
    if time.monotonic() - (last_s or stream.started_s or time.monotonic()) < PATIENCE_S:
        return None
    return LOST if last_s else NO_FRAME


def _panel(stream: LiveStream, context: Stream | None, lost: bool) -> None:
    """Show the newest result once."""
    processor = stream.processor
    if trouble := _trouble(stream, context, lost):
        st.warning(trouble)
    if trouble == NO_FRAME:
        link("Photo")
        link("Video")
    elif not context and processor and processor.latest:
        show_summary(processor.history)
    elif not context:
        st.html(empty_html("Each face's probabilities appear here."))
    elif processor is None or processor.latest is None:
        st.html(empty_html("Waiting for the camera …"))
    elif not trouble:
        delay = "" if stream.sample else delay_html(processor.latest, round_trip_s(context))
        st.html(_reading_html(processor.latest, processor.history, delay))
    if context:
        st.html(pulse_html())


def _reading_html(reading: Reading, history: History, delay: str) -> str:
    if reading.too_dark:
        bars = empty_html("Too dark to see a face: turn on a light.")
    else:
        bars = faces_html(reading.detections, history.faces)
    return (
        f'{bars}<p class="fer-note">Frames a second: {reading.rate:.0f}. Work for each: '
        f"{1000 * reading.work_s:.0f} ms, on the computer that runs this page.{delay}</p>"
    )

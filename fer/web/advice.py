"""What the page learns from the browser itself, and has it do.

Why START failed, whether the connection is lost, how late the picture is; START is pressed for
whoever asked for the sample, and the page drawn anew where it stands still.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from fer.web.processor import Reading

REFUSED = (
    "The browser may not use the camera: allow it for this page (the camera sign in the "
    "address bar), then press START again."
)
NO_CAMERA = "No camera was found: connect one, then press START again."
BUSY = "The camera is used by another program: close that, then press START again."
NO_MEDIA = (
    "Browsers open the camera on https:// pages and on http://localhost only: use one of these."
)
NO_WEBRTC = (
    "This browser has no WebRTC, or it is switched off: open the page in another one. "
    "A photo or a video works in this one too."
)

# The component shows a failed START as the browser's bare error, and says
# nothing of it to Python; this reads it there and adds what to do.
_ADVICE = {
    "NotAllowedError": REFUSED,
    "NotFoundError": NO_CAMERA,
    "NotReadableError": BUSY,
    "AbortError": BUSY,  # what Firefox may say instead
    "mediaDevices is undefined": NO_MEDIA,
    "not implemented": NO_MEDIA,
    "RTCPeerConnection is not defined": NO_WEBRTC,
    "variable: RTCPeerConnection": NO_WEBRTC,  # WebKit's words for the same
}
_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")


def advise(on_failure: Callable[[], None], press: str | None = None, redraws: bool = False) -> bool:
    """Say what to do when START fails, and tell each `delay_html` how late the picture is.

    Args:
        on_failure: Called once it has failed.
        press: What stands on the component's button that is to be pressed, once, for the visitor.
        redraws: Whether a part of the page with `pulse_html` draws itself again and again. Where
            it stands still for ten seconds, the whole page is drawn anew.

    Returns:
        Whether the browser lost the connection, and gave it up.
    """
    component = st.components.v2.component(
        "fer_advice",
        html='<div class="fer-advice" role="alert"></div>',
        js=_SCRIPT,
        isolate_styles=False,
    )
    seen = component(
        key="advice",
        data={"advice": _ADVICE, "press": press, "redraws": redraws},
        default={"lost": False},
        on_lost_change=lambda: None,
        on_failed_change=on_failure,
        on_still_change=lambda: None,
    )
    return bool(seen.lost)


def delay_html(reading: Reading, round_trip_s: float | None) -> str:
    """Give the place where the browser says how late the picture is, empty at first.

    What is counted is the way of a frame from the browser back to its screen;
    not the time that the camera and the browser's encoder take.

    Args:
        reading: The newest of the stream.
        round_trip_s: Of the network, in seconds; unless it is known there is no place.
    """
    if round_trip_s is None:
        return ""
    return f'<span data-server-ms="{1000 * (reading.held_s + round_trip_s):.0f}"></span>'


def pulse_html() -> str:
    """Give what differs from second to second, for `advise` to see that a part is drawn anew."""
    return f'<i data-pulse="{time.monotonic():.0f}"></i>'


def round_trip_s(context: Any) -> float | None:
    """Give the network's round trip in seconds, None while it is not known.

    Args:
        context: What `webrtc_streamer` returned.
    """
    worker = context._get_worker()  # nothing public leads to the connection
    if worker is None:
        return None
    for sender in worker.pc.getSenders():
        for one in list(asyncio.run(sender.getStats()).values()):
            if (time_s := getattr(one, "roundTripTime", None)) is not None:
                return float(time_s)
    return None

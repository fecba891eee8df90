"""The live page: the camera's picture beside the probabilities of each face.

ICE servers: by default none, so that nothing leaves the machine; browser and
server then meet on one computer or in one local network. A public host needs
a TURN server: set ``FER_ICE_SERVERS`` to the JSON list that WebRTC calls
``iceServers``, as an environment variable or as a top-level line of Streamlit's
``secrets.toml``, which Streamlit puts into the environment.
"""

import functools
import json
import os
import time
from pathlib import Path
from typing import Any, TypeAlias

import streamlit as st
from streamlit_webrtc import Translations, WebRtcMode, WebRtcStreamerContext, webrtc_streamer
from streamlit_webrtc.webrtc import SignallingTimeoutError

from fer.classification import ExpressionClassifier
from fer.errors import SourceError
from fer.web import faces
from fer.web.processor import ExpressionVideoProcessor

Stream: TypeAlias = WebRtcStreamerContext[ExpressionVideoProcessor, Any]

ICE_VARIABLE = "FER_ICE_SERVERS"
"""Environment variable with the ICE servers, a JSON list."""

PATIENCE_S = 10.0
"""Seconds without a frame after which the page says what to do."""

REFRESH_S = 0.4
"""Seconds between two looks at the newest result."""

REFUSED = (
    "The browser may not use the camera: allow it for this page (the camera sign in the "
    "address bar), then press START again."
)
NO_CAMERA = "No camera was found: connect one, then press START again."
BUSY = "The camera is used by another program: close that, then press START again."
NO_MEDIA = (
    "Browsers open the camera on https:// pages and on http://localhost only: use one of these."
)
NO_FRAME = (
    "No picture has arrived for 10 seconds: press STOP and START again; if that does not help, "
    "a firewall is in the way, and whoever runs this page has to set "
    f"{ICE_VARIABLE} to a TURN server."
)

_CAMERA: dict[str, Any] = {
    "video": {
        "width": {"ideal": 640},
        "height": {"ideal": 480},
        "frameRate": {"ideal": 30, "max": 30},
    },
    "audio": False,
}
_VIDEO: dict[str, Any] = {
    "autoPlay": True,
    "playsInline": True,
    "muted": True,
    "controls": False,
    "style": {"width": "100%", "aspectRatio": "4 / 3", "borderRadius": "0.5rem"},
}
_TRANSLATIONS: Translations = {
    "start": "START",
    "stop": "STOP",
    "select_device": "Choose camera",
    "device_ask_permission": "Allow this page to use the camera.",
    "device_access_denied": REFUSED,
    "device_not_available": NO_CAMERA,
    "media_api_not_available": NO_MEDIA,
}
# The component shows a failed START as the browser's bare error, and says
# nothing of it to Python; this reads it there and adds what to do.
_ADVICE = {
    "NotAllowedError": REFUSED,
    "NotFoundError": NO_CAMERA,
    "NotReadableError": BUSY,
    "mediaDevices is undefined": NO_MEDIA,
    "not implemented": NO_MEDIA,
}
_ADVISE = """
export default function ({ parentElement, data }) {
  const advice = parentElement.querySelector("[role=alert]");
  const look = () => {
    const frames = [...document.querySelectorAll("iframe[title^=streamlit_webrtc]")];
    const error = frames
      .map((frame) => frame.contentDocument?.querySelector("[role=alert]")?.textContent ?? "")
      .join();
    const sentence = Object.keys(data).filter((words) => error.includes(words)).map((w) => data[w]);
    const text = sentence[0] ?? "";
    if (advice.textContent !== text) advice.textContent = text;
  };
  const timer = setInterval(look, 500);
  return () => clearInterval(timer);
}
"""
_STYLE = """<style>
/* Room for the picture before it comes, so that nothing below it moves. */
.st-key-picture { aspect-ratio: 1.08; }
.fer-advice:empty { display: none; }
.fer-advice { border-left: 0.25rem solid #e15759; padding: 0.5rem 0.75rem; }
</style>"""


def show(model: str | Path | None = None) -> None:
    """Draw the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        FerError: The model or the ICE servers are no good.
    """
    st.html(_STYLE)
    st.markdown("Press START and look into the camera: every face is framed and named.")
    ExpressionClassifier(model)  # a missing model is better told before START
    video, panel = st.columns([3, 2], gap="medium")
    with video, st.container(key="picture"):
        context = _stream(model)
        _advise()
    with panel:
        _follow(context)


def ice_servers() -> list[dict[str, Any]]:
    """Read the ICE servers from ``FER_ICE_SERVERS``.

    Returns:
        WebRTC's ``iceServers``; empty by default.

    Raises:
        SourceError: The variable holds something else.
    """
    try:
        servers = json.loads(os.environ.get(ICE_VARIABLE) or "[]")
    except ValueError:
        servers = None
    if not isinstance(servers, list) or not all(
        isinstance(server, dict) and "urls" in server for server in servers
    ):
        raise SourceError(
            f"{ICE_VARIABLE} is not understood; expected a JSON list such as "
            '`[{"urls": "turn:host:3478", "username": "…", "credential": "…"}]`.'
        )
    return servers


def _stream(model: str | Path | None) -> Stream:
    """Show the video and its START button."""
    try:
        return webrtc_streamer(
            key="live",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration={"iceServers": ice_servers()},
            media_stream_constraints=_CAMERA,
            video_processor_factory=functools.partial(ExpressionVideoProcessor, model),
            video_html_attrs=_VIDEO,
            translations=_TRANSLATIONS,
            media_toggle_controls=False,
        )
    except SignallingTimeoutError as error:
        raise SourceError(NO_FRAME) from error


def _advise() -> None:
    """Say what to do when the camera does not open."""
    component = st.components.v2.component(
        "fer_advice",
        html='<div class="fer-advice" role="alert"></div>',
        js=_ADVISE,
        isolate_styles=False,
    )
    component(key="advice", data=_ADVICE)


def _follow(context: Stream) -> None:
    """Show the newest result, again and again while the stream runs."""
    running = context.state.playing or context.state.signalling
    if not running:
        st.session_state.pop("started_s", None)
    elif "started_s" not in st.session_state:
        st.session_state["started_s"] = time.monotonic()
        st.session_state["gave_up"] = False
    st.fragment(_panel, run_every=REFRESH_S if running else None)(context, running)


def _panel(context: Stream, running: bool) -> None:
    """Show the newest result once."""
    processor = context.video_processor
    if running:
        started_s = st.session_state.get("started_s", time.monotonic())
        seen_s = (processor and processor.last_frame_s) or started_s
        st.session_state["gave_up"] = time.monotonic() - seen_s > PATIENCE_S
    # Stays after a connection that failed, until the next START.
    if st.session_state.get("gave_up"):
        st.warning(NO_FRAME)
    elif not running:
        st.html(faces.empty_html("Each face's probabilities appear here."))
    elif processor is None or processor.latest is None:
        st.html(faces.empty_html("Waiting for the camera …"))
    else:
        st.html(faces.faces_html(processor.latest))

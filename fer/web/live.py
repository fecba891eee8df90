"""The live page: the camera's picture and its switches; beside it stands `fer.web.panel`."""

import functools
from pathlib import Path
from typing import Any, cast

import streamlit as st
from aiortc.contrib.media import MediaPlayer
from streamlit_webrtc import Translations, WebRtcMode, webrtc_streamer
from streamlit_webrtc.webrtc import SignallingTimeoutError

from fer.classification import ExpressionClassifier
from fer.errors import SourceError
from fer.sample import SAMPLE_VIDEO
from fer.web import connection, relay, signalling
from fer.web.advice import NO_CAMERA, NO_MEDIA, REFUSED, advise, pulse_html
from fer.web.look import choose_look
from fer.web.pages import link
from fer.web.panel import NO_FRAME, Stream, follow
from fer.web.player import FilmPlayer
from fer.web.processor import running_streams
from fer.web.recorder import offer_recording, show_recorder, tell_problem
from fer.web.seats import FULL, FullError, is_full
from fer.web.settings import View, choose_camera, chosen_camera
from fer.web.stream import LiveStream, current_stream

PLACE_S = 2.0
"""Seconds between two looks for a place."""

CONTROLS_S = 1.0
"""Seconds between two looks at how long a recording is."""

_VIDEO: dict[str, Any] = {
    "autoPlay": True,
    "playsInline": True,
    "muted": True,
    "controls": False,
    # The camera's own shape, as soon as it is known: a phone's may be upright.
    "style": {"width": "100%", "aspectRatio": "auto 4 / 3", "borderRadius": "0.5rem"},
}
_START_SAMPLE = "PLAY THE SAMPLE"
_TRANSLATIONS: Translations = {
    "stop": "STOP",
    "select_device": "Choose camera",
    "device_ask_permission": "Allow this page to use the camera.",
    "device_access_denied": REFUSED,
    "device_not_available": NO_CAMERA,
    "media_api_not_available": NO_MEDIA,
}
_STYLE = """<style>
.st-key-video { container-type: inline-size; }
.fer-note { font-size: 0.875rem; opacity: 0.8; }
.fer-advice:empty { display: none; }
.fer-advice { border-left: 0.25rem solid #e15759; padding: 0.5rem 0.75rem; }
</style>"""
# Room for the picture before it comes, so that nothing below it moves.
_ROOM = "<style>.st-key-picture { min-height: calc(75cqw + 3.25rem); }</style>"
# A phone that is held upright gives an upright picture.
_UPRIGHT_ROOM = """<style>@media (pointer: coarse) and (orientation: portrait) {
  .st-key-picture { min-height: calc(133cqw + 3.25rem); }
}</style>"""


def show(model: str | Path | None = None) -> None:
    """Draw the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        FerError: The model or the ICE servers are no good.
    """
    st.html(_STYLE)
    stream = current_stream()
    if not stream.processor:
        ExpressionClassifier(model)  # a missing model is better told before START
    video, panel = st.columns([3, 2], gap="medium")
    with video, st.container(key="video"):
        with st.container(key="picture", gap=None):
            context = _stream(model, stream)
            running = context is not None and any(context.state)
            # Asked to begin by itself, the component makes one connection more each time that it
            # is drawn before the first has begun, and the server may answer one it has given up.
            press = _START_SAMPLE if stream.sample and not running else None
            lost = advise(stream.want_camera, press, redraws=running or stream.turned_away)
        if running:
            _make_room(stream)
        elif not stream.turned_away:
            _invite(stream)
        if not running and stream.processor and stream.processor.latest:
            stream.end()  # before what was recorded is offered
        # Drawn anew by themselves: streamlit-webrtc may take runs of the whole
        # script that follow close on one another for a page that was left.
        st.fragment(_controls, run_every=CONTROLS_S if running else None)(model, stream, running)
    with panel:
        follow(stream, context if running else None, lost)


def _controls(model: str | Path | None, stream: LiveStream, running: bool) -> None:
    """Show the switches and the recorder."""
    faces, attention = choose_look(model)
    with st.container(horizontal=True, vertical_alignment="center"):
        mirror = st.toggle("Mirror", True, key="view_mirror", persist_state="session")
        if running:
            show_recorder(stream)
    stream.show(View(mirror, faces, attention))
    tell_problem(stream)
    if not running:
        offer_recording(stream)


def _stream(model: str | Path | None, stream: LiveStream) -> Stream | None:
    """Show the video and its START button, or that there is no place left: then None."""
    if not any(signalling.state()):  # what is asked for stays as it is while it is there
        stream.camera = chosen_camera(running_streams())
        stream.turned_away = stream.turned_away or is_full(stream.processor)
    if stream.turned_away:
        # Without the component, which lets go of the camera and forgets that it began.
        signalling.count_absence()
        st.fragment(_wait_for_place, run_every=PLACE_S)(stream)
        return None
    relay.take_over()
    try:
        with signalling.drawing(stream.draw_lock):
            return webrtc_streamer(
                key=signalling.KEY,
                mode=WebRtcMode.RECVONLY if stream.sample else WebRtcMode.SENDRECV,
                frontend_rtc_configuration=connection.browser_configuration(),
                server_rtc_configuration=connection.server_configuration(),
                media_stream_constraints=stream.camera.constraints,
                player_factory=_play_sample if stream.sample else None,
                video_processor_factory=functools.partial(stream.begin, model),
                video_html_attrs=_VIDEO,
                # The word is pressed where it stands, so that it is the sample that begins.
                translations={
                    **_TRANSLATIONS,
                    "start": _START_SAMPLE if stream.sample else "START",
                },
                on_change=functools.partial(_forget_sample, stream),
                media_toggle_controls=False,
            )
    except SignallingTimeoutError as error:
        raise SourceError(NO_FRAME) from error
    except FullError:
        stream.turned_away, stream.sample = True, False
        st.rerun()


def _wait_for_place(stream: LiveStream) -> None:
    """Say that there is no place left, until there is one."""
    if not is_full(stream.processor):
        stream.turned_away = False
        st.rerun()
    st.info(FULL)
    st.html(pulse_html())
    link("Photo")
    link("Video")


def _play_sample() -> MediaPlayer:
    return cast(MediaPlayer, FilmPlayer(SAMPLE_VIDEO))  # it has what is asked of one


def _forget_sample(stream: LiveStream) -> None:
    """Go back to the camera once the sample was stopped."""
    stream.sample = stream.sample and any(signalling.state())


def _make_room(stream: LiveStream) -> None:
    """Keep room for the picture."""
    st.html(_ROOM if stream.sample else _ROOM + _UPRIGHT_ROOM)


def _invite(stream: LiveStream) -> None:
    """Say what to do, and offer the sample."""
    st.markdown("Press START and look into the camera: every face is framed and named.")
    with st.container(horizontal=True):
        st.button("No camera? Try the sample", on_click=stream.want_sample)
        choose_camera()

"""What the page learns from the browser itself, and has it do.

Why START failed, whether the connection is lost, how late the picture is; START is pressed for
whoever asked for the sample, and the page drawn anew where it stands still.
"""

import asyncio
import time
from collections.abc import Callable
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
# Only the browser knows how long a frame waits there until it is on the screen.
_SCRIPT = """
// To the component a connection is over as soon as it is "disconnected", which one
// lost packet may do; the browser mends that, or says "failed" in half a minute.
const bePatient = (view) => {
  const kind = view.RTCPeerConnection?.prototype;
  const usual = kind && Object.getOwnPropertyDescriptor(kind, "connectionState")?.get;
  if (!usual) return;
  view.lost = null;
  Object.defineProperty(kind, "connectionState", { get() {
    const state = usual.call(this);
    if (state === "failed") view.lost = this;
    else if (view.lost !== this) view.lost = null;  // another has begun
    return state === "disconnected" ? "connecting" : state;
  } });
};
// The second click of two would press STOP, or START while it is still loading.
const takeOneClick = ({ document }) => document.addEventListener("click", (event) => {
  if (event.detail > 1) event.stopPropagation();
}, true);
// Streamlit may lose the timer of a part that draws itself again and again.
const watchPulse = (onStandstill) => {
  const pulse = document.querySelector("[data-pulse]")?.dataset.pulse;
  if (pulse !== beat.pulse || !pulse) beat = { pulse, seen: Date.now() };
  if (Date.now() - beat.seen < 10_000) return;
  beat.seen = Date.now();
  onStandstill();
};
let told = false, pressed = false, beat = {};
export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const advice = parentElement.querySelector("[role=alert]");
  pressed &&= Boolean(data.press);
  let watched, browser_ms;
  const watch = (video) => {
    [watched, browser_ms] = [video, undefined];
    const step = (now, { receiveTime, expectedDisplayTime }) => {
      if (video !== watched) return;
      const late_ms = expectedDisplayTime - receiveTime;
      if (late_ms >= 0) browser_ms = (browser_ms ?? late_ms) * 0.9 + late_ms * 0.1;
      video.requestVideoFrameCallback(step);
    };
    video?.requestVideoFrameCallback?.(step);
  };
  const tell = () => {
    const delay = document.querySelector("[data-server-ms]");
    if (!delay || delay.textContent || browser_ms === undefined) return;
    const tens = Math.round((Number(delay.dataset.serverMs) + browser_ms) / 10);
    delay.textContent = ` The picture is about ${10 * tens} ms late.`;
  };
  const look = () => {
    const documents = [...document.querySelectorAll("iframe[title^=streamlit_webrtc]")]
      .map((frame) => frame.contentDocument).filter((one) => one?.defaultView);
    const views = documents.map((one) => one.defaultView);
    views.filter((one) => !one.met).forEach((one) => {
      one.met = true;
      bePatient(one);
      takeOneClick(one);
    });
    const button = documents.flatMap((one) => [...one.querySelectorAll("button")])
      .find((one) => one.textContent === data.press);
    if (button && !pressed) {
      pressed = true;
      button.click();
    }
    const lost = views.some((one) => one.lost);
    if (lost !== told) setStateValue("lost", told = lost);
    const error = documents
      .map((one) => one.querySelector("[role=alert]")?.textContent ?? "").join();
    const words = Object.keys(data.advice).find((some) => error.includes(some));
    const text = data.advice[words] ?? "";
    if (advice.textContent !== text) {
      advice.textContent = text;
      if (text) setTriggerValue("failed", text);
    }
    const video = documents.map((one) => one.querySelector("video")).find((one) => one);
    if (video !== watched) watch(video);
    tell();
    watchPulse(() => setTriggerValue("still", true));
  };
  const timer = setInterval(look, data.press ? 50 : 500);
  const observer = new MutationObserver(tell);  // the text is drawn anew with each reading
  observer.observe(document.body, { subtree: true, childList: true });
  return () => { clearInterval(timer); observer.disconnect(); watched = undefined; };
}
"""


def advise(on_failure: Callable[[], None], press: str | None = None) -> bool:
    """Say what to do when START fails, and tell each `delay_html` how late the picture is.

    Args:
        on_failure: Called once it has failed.
        press: What stands on the component's button that is to be pressed, once, for the visitor.

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
        data={"advice": _ADVICE, "press": press},
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
    """Give what differs from second to second, for a part of the page that draws itself anew.

    Where it stays as it is for ten, the whole page is drawn anew.
    """
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

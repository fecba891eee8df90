"""The live page in a real Firefox, whose camera is a canvas or a switch of the browser."""

import base64
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
import supervision as sv

from fer import EXPRESSIONS
from fer.expressions import EXPRESSION_NAMES
from fer.web import advice, panel
from tests.browser import firefox, open_page, press, says_happy, see_frames, start
from tests.streamlit_server import FACE, Server, portrait
from tests.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEFT, TOP = 20, 80
HAPPY_BGR = sv.Color.from_hex(EXPRESSIONS[EXPRESSION_NAMES.index("happy")].color).as_bgr()
PORTRAIT = base64.b64encode(cv2.imencode(".png", portrait())[1].tobytes()).decode()

# Firefox has no camera that plays a file.
CAMERA = f"""if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => {{
  const head = new Image(), canvas = document.createElement("canvas");
  head.src = "data:image/png;base64,{PORTRAIT}";
  await head.decode();
  [canvas.width, canvas.height] = [640, 480];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "grey";
  pen.fillRect(0, 0, 640, 480);
  setInterval(() => pen.drawImage(head, {LEFT}, {TOP}), 33);
  return canvas.captureStream();
}};"""
ALLOWED = {"media.navigator.permission.disabled": True}
FAKE = {"media.navigator.streams.fake": True}
REFUSED = {"media.navigator.permission.fake": True, "permissions.default.camera": 2}  # 2: deny


def painted(holder: Any) -> np.ndarray:
    """Where the picture on the screen has the colour of *happy*: bool of shape (480, 640)."""
    png = np.frombuffer(holder.locator("video").screenshot(), np.uint8)
    picture = cv2.resize(cv2.imdecode(png, cv2.IMREAD_COLOR), (640, 480))
    return (np.abs(picture.astype(int) - HAPPY_BGR) < 40).all(axis=2)


def test_a_face_comes_back_framed_named_and_mirrored_twice(server: Server) -> None:
    x1, y1, x2, y2 = np.add(FACE, (LEFT, TOP, LEFT, TOP))
    margin = (x2 - x1) // 2
    round_face = np.s_[y1 - margin : y2 + margin, 640 - x2 - margin : 640 - x1 + margin]
    with firefox({}) as browser:
        page = open_page(browser, server.url, CAMERA)
        for _ in range(2):
            holder = start(page)
            says_happy(page)
            see_frames(holder, 10)
            # The screen may be late beside the panel.
            wait_for(lambda now=holder: painted(now)[round_face].sum() > 1000, "the face's frame")
            happy = painted(holder)
            assert happy.sum() - happy[round_face].sum() < 50, "something else is framed"
            press(page, "STOP")
            page.get_by_text("the program saw").wait_for()


@pytest.mark.parametrize(
    ("preferences", "sentence"),
    [
        (FAKE | REFUSED, advice.REFUSED),
        (FAKE | {"media.peerconnection.enabled": False}, advice.NO_WEBRTC),
        (FAKE | ALLOWED | {"media.peerconnection.ice.relay_only": True}, panel.NO_FRAME),
    ],
    ids=["refused", "no WebRTC", "no way"],
)
def test_a_start_that_fails_is_told_with_what_to_do(
    preferences: Mapping[str, bool | int], sentence: str, server: Server
) -> None:
    with firefox(preferences) as browser:
        page = open_page(browser, server.url)
        press(page, "START")
        page.get_by_text(sentence).wait_for()

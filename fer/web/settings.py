"""What a visitor may choose on the live page, and the switches to choose it with."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from fer.annotation import FaceView
from fer.cores import usable_cores

_FRAMES_A_CORE = 45  # a second: more are late, by Python's lock before the processors are full
_LEAST_RATE = 5

_FACING = {"user": "Front", "environment": "Rear"}
_SIZES = {
    (640, 480, 30): "640 × 480, 30 frames a second",
    (640, 480, 15): "640 × 480, 15 frames a second",
    (1280, 720, 15): "1280 × 720, 15 frames a second",
}


@dataclass(frozen=True)
class View:
    """How the picture is shown; a media thread may read it while the page replaces it.

    Attributes:
        mirror: Show the picture as a mirror would.
        faces: What is shown of the faces.
        attention: Draw the parts of a face that the network went by.
    """

    mirror: bool = True
    faces: FaceView = FaceView.PLAIN
    attention: bool = False


@dataclass(frozen=True)
class Camera:
    """Which camera is asked for, and for which picture.

    Attributes:
        facing: ``user`` for the front camera of a phone, ``environment`` for the rear.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        rate: Frames a second at most.
    """

    facing: str = "user"
    width: int = 640
    height: int = 480
    rate: int = 30

    @property
    def constraints(self) -> dict[str, Any]:
        """The same for the browser, as ``MediaStreamConstraints``: wishes but for the rate."""
        return {
            "video": {
                "facingMode": {"ideal": self.facing},
                "width": {"ideal": self.width},
                "height": {"ideal": self.height},
                "frameRate": {"ideal": self.rate, "max": self.rate},
            },
            "audio": False,
        }


def chosen_camera(others: int = 0) -> Camera:
    """Give what was chosen with `choose_camera`, at once: before the page draws it.

    Args:
        others: How many streams the server has to keep up with already; with
            many of them fewer frames are asked for than were chosen.
    """
    facing = st.session_state.get("camera_facing", "user")
    width, height, rate = st.session_state.get("camera_size", (640, 480, 30))
    share = _FRAMES_A_CORE * usable_cores() // (others + 1)
    return Camera(facing, width, height, max(_LEAST_RATE, min(rate, share)))


def choose_camera() -> None:
    """Draw the choice of the camera, behind a button."""
    with st.popover("Camera"):
        st.radio(
            "On a phone",
            list(_FACING),
            format_func=_FACING.__getitem__,
            horizontal=True,
            key="camera_facing",
            persist_state="session",
        )
        st.radio(
            "Picture",
            list(_SIZES),
            format_func=_SIZES.__getitem__,
            key="camera_size",
            persist_state="session",
        )
        st.caption("If the picture lags, ask for less.")

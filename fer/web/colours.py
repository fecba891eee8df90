"""From a stream's frames to pictures and back, at a tenth of what PyAV takes for it.

PyAV sets up a conversion, with threads of its own, anew for each frame.
"""

import av
import cv2
import numpy as np
import numpy.typing as npt


def picture_of(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """Give a frame's picture: BGR, uint8 of shape (H, W, 3).

    Args:
        frame: Of any format.
    """
    if frame.format.name == "yuv420p" and _is_even(frame.width, frame.height):
        return np.asarray(cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420), np.uint8)
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def frame_of(picture: npt.NDArray[np.uint8]) -> av.VideoFrame:
    """Give a frame as the encoder wants it; one with an odd side is left to the encoder.

    Args:
        picture: BGR, uint8 of shape (H, W, 3).
    """
    if _is_even(*picture.shape[:2]):
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")
    return av.VideoFrame.from_ndarray(picture, format="bgr24")


def _is_even(*sides: int) -> bool:
    return not any(side % 2 for side in sides)

"""The only way from a frame and boxes to what the network eats.

Training, evaluation and every front end go through `network_input`, so that
the network never meets pixels other than those it was trained on.
"""

import cv2
import numpy as np
import numpy.typing as npt

INPUT_SIZE = 48
"""Side of the network's square input, in pixels."""

PIXEL_RANGE = (0.0, 255.0)
"""Range of the network's input. The network scales it in its own first layer."""

BOX_MARGIN = 1.04
"""Side of a face's crop over that of its box. A picture of FER-2013 is 1.04 times as wide as the
box that our detector finds in it, and its middle is the box's: the medians of 3,000 training
pictures pasted into larger frames (`fer.training.framing`, ``scale_median`` 0.96)."""

_FARTHEST = 1e9  # pixels
_MOST_SAMPLES = 4096  # rows, and columns, of a box over the edge: a huge one is read coarsely


def validate_frame(frame: npt.NDArray[np.uint8]) -> None:
    """Check that a frame is what the pipeline works on.

    Args:
        frame: BGR image, uint8 of shape (H, W, 3).

    Raises:
        ValueError: Another type, dtype or shape, or no pixels.
    """
    expected = "expected a BGR image: a numpy array of dtype uint8 and shape (height, width, 3)"
    if not isinstance(frame, np.ndarray):
        raise ValueError(f"{expected}, but got {type(frame).__name__}.")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"{expected}, but got dtype {frame.dtype} and shape {frame.shape}.")
    if frame.size == 0:
        raise ValueError(f"{expected}, but got an empty one of shape {frame.shape}.")


def crop_faces(frame: npt.NDArray[np.uint8], xyxy: npt.NDArray[np.number]) -> npt.NDArray[np.uint8]:
    """Cut faces out of a frame, the way FER-2013 frames them.

    A crop is a square round the middle of its box, `BOX_MARGIN` times as wide.
    Where it reaches over the edge of the frame, the edge's pixels are repeated.

    Args:
        frame: BGR image, uint8 of shape (H, W, 3).
        xyxy: Face boxes in pixels, shape (n, 4).

    Returns:
        Grey faces, uint8 of shape (n, 48, 48).

    Raises:
        ValueError: A box is not of numbers that can be pixels.
    """
    if not (np.abs(xyxy) < _FARTHEST).all():  # so that NaN is noticed too
        raise ValueError(f"expected boxes in pixels, xyxy, but got {xyxy}.")
    crops = np.empty((len(xyxy), INPUT_SIZE, INPUT_SIZE), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, xyxy, strict=True):
        side = max(1, round(BOX_MARGIN * max(x2 - x1, y2 - y1)))
        left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
        grey = cv2.cvtColor(_square(frame, left, top, side), cv2.COLOR_BGR2GRAY)
        shrinks = side >= INPUT_SIZE
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        crop[:] = cv2.resize(grey, (INPUT_SIZE, INPUT_SIZE), interpolation=interpolation)
    return crops


def _square(frame: npt.NDArray[np.uint8], left: int, top: int, side: int) -> npt.NDArray[np.uint8]:
    """Cut a square that may reach over the frame's edge; the edge is repeated there."""
    height, width = frame.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return frame[top : top + side, left : left + side]
    step = 1 + side // _MOST_SAMPLES
    rows = np.clip(np.arange(top, top + side, step), 0, height - 1)
    columns = np.clip(np.arange(left, left + side, step), 0, width - 1)
    return frame[np.ix_(rows, columns)]


def network_input(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Turn grey faces into the network's input.

    Args:
        faces: Grey faces, uint8 of shape (n, 48, 48).

    Returns:
        float32 of shape (n, 48, 48, 1), in 0 to 255.

    Raises:
        ValueError: Another dtype or shape.
    """
    if faces.dtype != np.uint8 or faces.shape[1:] != (INPUT_SIZE, INPUT_SIZE):
        raise ValueError(
            f"expected grey faces of dtype uint8 and shape (n, {INPUT_SIZE}, {INPUT_SIZE}), "
            f"but got dtype {faces.dtype} and shape {faces.shape}."
        )
    return faces[..., np.newaxis].astype(np.float32)

"""How a result is drawn on a frame."""

from dataclasses import replace
from enum import StrEnum
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from fer.avatars import UNKNOWN, load_avatar, paste
from fer.expressions import EXPRESSION_NAMES, EXPRESSIONS, READABLE, REASONS, FaceState
from fer.preprocessing import BOX_MARGIN

_UNTOLD = "#ffffff"  # instead of the colour of an expression that cannot be relied on
_PALETTE = sv.ColorPalette.from_hex([*(expression.color for expression in EXPRESSIONS), _UNTOLD])

# In sides of the box round a face, which ends at the brows and the chin.
_HEAD_SIDE = 1.9  # of a square round the whole head
_HEAD_RISE = 0.1  # of its middle over the face's: there is more hair than chin
_BESIDE_SIDE = 0.7  # of the avatar beside a face
_BESIDE_GAP = 0.1

_SQUARES = 6  # across a hidden head, so about three across its face

_HEAT_SHARE = 0.7  # of the colours, where the attention is highest

Boxes = npt.NDArray[np.number[Any]]


class FaceView(StrEnum):
    """What is shown of a face itself.

    The last two show the avatar of the expression; a face that cannot be read
    gets the one with a question mark. `BLUR` and `INSTEAD` leave nothing to
    recognise a face by, but they hide only a face that was found.
    """

    PLAIN = "plain"
    BLUR = "blur"
    BESIDE = "beside"
    INSTEAD = "instead"

    @property
    def hides(self) -> bool:
        """Whether nobody is to recognise a face."""
        return self in (FaceView.BLUR, FaceView.INSTEAD)


class ExpressionAnnotator:
    """Frames each face and writes its expression beside it.

    Args:
        frame_height: Height of the frames in pixels; lines and letters are
            sized for it.
        faces: Whether the faces are shown, hidden or joined by an avatar.
        attention: Lay a heat map over each face that is named, surely or not: where the network
            sees what it names, if the model tells. An avatar in a face's place
            gets none.
    """

    def __init__(
        self,
        frame_height: int = 480,
        faces: FaceView = FaceView.PLAIN,
        attention: bool = False,
    ) -> None:
        scale = max(frame_height, 240) / 480
        self._faces = FaceView(faces)
        self._attention = attention
        self._box = sv.BoxAnnotator(color=_PALETTE, thickness=max(1, round(2 * scale)))
        self._label = sv.LabelAnnotator(
            color=_PALETTE,
            text_color=sv.Color.BLACK,
            text_scale=0.6 * scale,
            text_thickness=max(1, round(1.2 * scale)),
            text_padding=max(3, round(6 * scale)),
            # Over a whole head there is often no room left in the picture.
            smart_position=self._faces == FaceView.INSTEAD,
        )

    def annotate(
        self, scene: npt.NDArray[np.uint8], detections: sv.Detections
    ) -> npt.NDArray[np.uint8]:
        """Draw a result.

        Args:
            scene: BGR image, uint8 of shape (H, W, 3); it is drawn on.
            detections: What `fer.ExpressionPipeline` says of it.

        Returns:
            The scene.

        Raises:
            ValueError: The scene is a view that OpenCV cannot draw on.
        """
        turned = scene.strides[0] < 0 or scene.strides[1:] != (3, 1)
        if turned and not scene.flags.c_contiguous:
            raise ValueError(
                "expected a scene to draw on, not a turned view of one: np.ascontiguousarray(scene)"
            )
        if not len(detections):
            return scene
        expressions = np.asarray(detections.class_id)
        colors = np.where(_is_told(detections), expressions, len(EXPRESSIONS))
        if self._faces == FaceView.INSTEAD:
            detections = replace(detections, xyxy=_heads(detections.xyxy))
            _draw_avatars(scene, detections, detections.xyxy)
        else:
            if self._faces == FaceView.BLUR:
                _pixelate(scene, _heads(detections.xyxy))
            if self._attention:
                readable = np.isin(detections.data["state"], READABLE)
                _draw_attention(scene, cast(sv.Detections, detections[readable]))
            if self._faces == FaceView.BESIDE:
                _draw_avatars(scene, detections, _places_beside(detections.xyxy, scene.shape))
            self._box.annotate(scene, detections, custom_color_lookup=colors)
        self._label.annotate(scene, detections, describe(detections), custom_color_lookup=colors)
        return scene


def describe(detections: sv.Detections) -> list[str]:
    """Say in a few words what each face shows, or why that cannot be said.

    Args:
        detections: What `fer.ExpressionPipeline` returned.

    Returns:
        One text a face, such as ``happy 93 %``, ``unsure: sad or fear``, ``too dark``.
    """
    texts = []
    for row, state in enumerate(detections.data["state"]):
        name, scores = detections.data["class_name"][row], detections.data["scores"][row]
        named = EXPRESSION_NAMES.index(name)
        if state == FaceState.UNSURE:
            # The label first, where it is one of the two, so that they do not take turns.
            likeliest = sorted(np.argsort(-scores)[:2], key=lambda other: other != named)
            texts.append("unsure: " + " or ".join(EXPRESSION_NAMES[i] for i in likeliest))
        else:
            texts.append(REASONS.get(state, f"{name} {round(100 * scores[named])} %"))
    return texts


def choose_avatars(detections: sv.Detections) -> list[str]:
    """Name the avatar of each face: that of its expression, if that can be told.

    Args:
        detections: What `fer.ExpressionPipeline` returned.

    Returns:
        One of `fer.avatars.AVATAR_NAMES` a face.
    """
    names = np.where(_is_told(detections), detections.data["class_name"], UNKNOWN)
    return [str(name) for name in names]


def _is_told(detections: sv.Detections) -> npt.NDArray[np.bool_]:
    """Whether each face's expression can be told."""
    return np.asarray(detections.data["state"] == FaceState.OK, bool)


def _draw_attention(scene: npt.NDArray[np.uint8], detections: sv.Detections) -> None:
    """Lay each face's heat map over its crop, as far as that lies in its box."""
    for box, attention in zip(detections.xyxy, detections.data["attention"], strict=True):
        side = round(float((box[2:] - box[:2]).max()))
        if not attention.any() or side < 1:
            continue
        corner = ((box[:2] + box[2:] - side) / 2).round().astype(int)
        scale = len(attention) / (BOX_MARGIN * side)
        shift = len(attention) / 2 - scale * side / 2 + scale / 2 - 0.5  # between pixels' middles
        heat = cv2.warpAffine(
            (255 * attention).astype(np.uint8),
            np.array([[scale, 0, shift], [0, scale, shift]]),
            (side, side),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        paste(scene, _heat_colors()[heat], (int(corner[0]), int(corner[1])))


@cache
def _heat_colors() -> npt.NDArray[np.uint8]:
    """Colours for 0 to 255, clearer the lower: BGRA, multiplied by the opacity for `paste`."""
    heat = np.arange(256, dtype=np.uint8)
    opacity = _HEAT_SHARE * heat[:, np.newaxis]
    colors = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[:, 0] * (opacity / 255)
    return np.hstack([colors, opacity]).astype(np.uint8)


def _heads(boxes: Boxes) -> Boxes:
    """Squares round whole heads, with hair and chin, from the boxes round faces."""
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    centers[:, 1:] -= _HEAD_RISE * sides
    return np.hstack([centers - _HEAD_SIDE / 2 * sides, centers + _HEAD_SIDE / 2 * sides])


def _pixelate(scene: npt.NDArray[np.uint8], heads: Boxes) -> None:
    """Leave a few squares of a head, each of the mean colour under it.

    Not with supervision's `PixelateAnnotator`: it takes a few pixels for each
    square instead of their mean, which flickers.
    """
    height, width = scene.shape[:2]
    for x1, y1, x2, y2 in sv.clip_boxes(heads, (width, height)).round().astype(int):
        head = scene[y1:y2, x1:x2]
        if head.size:
            squares = cv2.resize(head, (_SQUARES, _SQUARES), interpolation=cv2.INTER_AREA)
            head[:] = cv2.resize(squares, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def _places_beside(boxes: Boxes, shape: tuple[int, ...]) -> Boxes:
    """For each box a square beside it, in the picture, that hides least of all the faces."""
    height, width = shape[:2]
    places = []
    for x1, y1, x2, y2 in boxes:
        side = min(_BESIDE_SIDE * (x2 - x1), width, height)
        gap = _BESIDE_GAP * (x2 - x1)
        # Not above, where the label is.
        corners = np.array([(x2 + gap, y1), (x1 - gap - side, y1), (x1, y2 + gap)])
        corners = np.clip(corners, 0, (width - side, height - side))
        squares = np.hstack([corners, corners + side]).astype(np.float32)
        places.append(squares[sv.box_iou_batch(squares, boxes).sum(axis=1).argmin()])
    return np.stack(places)


def _draw_avatars(scene: npt.NDArray[np.uint8], detections: sv.Detections, places: Boxes) -> None:
    """Draw the avatar of each face into a square place."""
    names = choose_avatars(detections)
    for name, (x1, y1, x2, _) in zip(names, places.round().astype(int).tolist(), strict=True):
        paste(scene, load_avatar(name, max(1, x2 - x1)), (x1, y1))

"""Generated videos of faces whose boxes are known."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import cv2
import matplotlib.cbook
import numpy as np
import numpy.typing as npt
import skimage.data

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]

FACE_BOXES = {
    "astronaut": (176, 66, 275, 165),
    "hopper": (156, 105, 381, 330),
    "photographer": (150, 80, 262, 192),
}
"""The square round the face in each portrait, xyxy in pixels of the portrait. The astronaut smiles,
Hopper's face is neutral; the photographer is seen from the side, and looks to the right."""

MOUTHS = {"": 0.0, " frowns": -0.12, " half frowns": -0.06, " smiles": 0.04}
"""What may follow a portrait's name: by what share of the face the corners of the mouth rise."""

MOUTH = (0.5, 0.78)
"""Its middle, in sides of the face's box."""


@dataclass(frozen=True)
class Face:
    """A face that moves about: it sways round `center` once in `period_s`.

    `side` is the side of its box in pixels, `swell` the share by which that
    grows and shrinks, `tilt` and `lean` the degrees by which it rocks and is
    turned in the picture's plane (against the clock). It drifts by `drift` pixels
    a second. `changes` says from which second on it is another portrait (such as
    ``hopper frowns``), or with an empty name hidden.
    """

    portrait: str = "astronaut"
    center: tuple[float, float] = (320, 240)
    sway: tuple[float, float] = (60, 30)
    side: float = 150
    swell: float = 0.0
    tilt: float = 0.0
    lean: float = 0.0
    period_s: float = 3.0
    drift: tuple[float, float] = (0.0, 0.0)
    changes: tuple[tuple[float, str], ...] = ()

    def shown(self, time_s: float) -> str:
        """Name of its portrait at a time, empty while it is hidden."""
        return [self.portrait, *(name for start_s, name in self.changes if start_s <= time_s)][-1]

    def at(self, time_s: float) -> tuple[float, float, float, float]:
        """Middle x and y, side and angle at a time."""
        phase = 2 * math.pi * time_s / self.period_s
        x = self.center[0] + self.drift[0] * time_s + self.sway[0] * math.sin(phase)
        y = self.center[1] + self.drift[1] * time_s + self.sway[1] * math.sin(2 * phase)
        side = self.side * (1 + self.swell * math.sin(phase))
        return x, y, side, self.lean + self.tilt * math.sin(phase)

    def box(self, time_s: float) -> tuple[float, float, float, float]:
        """Its box, xyxy in pixels; it may reach over the frame's edge."""
        x, y, side, _ = self.at(time_s)
        return x - side / 2, y - side / 2, x + side / 2, y + side / 2


@dataclass(frozen=True)
class FaceVideo:
    """Frames with their faces' boxes: ``(frame, boxes, time_s)``.

    A frame is BGR uint8 of shape (H, W, 3). `boxes` is float32 of shape (n, 4),
    xyxy in pixels, in the order of `faces`, without the faces that are wholly
    out of the frame; a face at its edge has a box that reaches over it.

    `light` multiplies the pixels, `noise` is the standard deviation added to
    them, `blur` that of a Gaussian in pixels. The same seed gives the same video.
    """

    faces: tuple[Face, ...] = (Face(),)
    seconds: float = 3.0
    fps: int = 15
    size: tuple[int, int] = (640, 480)
    light: float = 1.0
    noise: float = 2.0
    blur: float = 0.0
    seed: int = 0

    def __iter__(self) -> Iterator[tuple[Image, Boxes, float]]:
        random = np.random.default_rng(self.seed)
        room = _room(self.size, self.seed)
        for number in range(round(self.seconds * self.fps)):
            time_s = number / self.fps
            yield self._frame(room, time_s, random), self._boxes(time_s), time_s

    def frames(self) -> Iterator[Image]:
        """The frames alone."""
        return (frame for frame, _, _ in self)

    def _boxes(self, time_s: float) -> Boxes:
        boxes = np.array([face.box(time_s) for face in self.faces], np.float32).reshape(-1, 4)
        inside = (boxes[:, :2] < self.size).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        return boxes[inside]

    def _frame(self, room: Image, time_s: float, random: np.random.Generator) -> Image:
        picture = room.astype(np.float32)
        for face in self.faces:
            if face.shown(time_s):
                _paste(picture, face, time_s)
        if self.blur:
            picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        picture = picture * self.light + random.normal(0, self.noise, picture.shape[:2])[..., None]
        return np.clip(picture, 0, 255).astype(np.uint8)


def wholly_inside(boxes: Boxes, size: tuple[int, int] = (640, 480)) -> npt.NDArray[np.bool_]:
    """Which boxes lie in the frame with all four corners."""
    return np.asarray((boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= size).all(axis=1))


def write_video(path: Path | str, frames: Iterable[Image], fps: int = 15) -> Path:
    """Write frames as H.264; the container is what the path's suffix says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    return Path(path)


@cache
def portrait(name: str) -> Image:
    """One of the portraits of `FACE_BOXES`, BGR; its name may say what the mouth does.

    That is one of the `MOUTHS`, or ``laughs``: with the mouth of the astronaut.
    """
    who, _, mouth = name.partition(" ")
    if mouth == "laughs":
        return _lend_mouth(who, "astronaut")
    if mouth:
        return _pull_mouth(who, MOUTHS[f" {mouth}"])
    if who == "astronaut":
        return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    if who == "photographer":
        return cv2.cvtColor(skimage.data.camera(), cv2.COLOR_GRAY2BGR)
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(cv2.imread(str(path)), np.uint8)


def _pull_mouth(who: str, rise: float) -> Image:
    """Bend a portrait so that the corners of the mouth rise by a share of the face."""
    picture = portrait(who)
    x1, y1, x2, _ = FACE_BOXES[who]
    side = x2 - x1
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    across = ((x - x1) / side - MOUTH[0]) / 0.2
    down = ((y - y1) / side - MOUTH[1]) / 0.08
    near = np.exp(-(across**2 + down**2) / 2)
    return cv2.remap(picture, x, y + rise * side * (across**2 - 1) * near, cv2.INTER_LINEAR)


def _lend_mouth(who: str, owner: str) -> Image:
    """Put the mouth of another portrait into one, in its own colour and with a soft edge."""
    picture, (x1, y1, x2, _) = portrait(who).astype(np.float32), FACE_BOXES[who]
    left, top, right, _ = FACE_BOXES[owner]
    side, scale = x2 - x1, (x2 - x1) / (right - left)
    fit = np.array([[scale, 0, x1 - scale * left], [0, scale, y1 - scale * top]])
    size = (picture.shape[1], picture.shape[0])
    lent = cv2.warpAffine(portrait(owner), fit, size, flags=cv2.INTER_AREA).astype(np.float32)
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    across, down = (x - x1) / side - MOUTH[0], (y - y1) / side - MOUTH[1]
    share = np.clip(1.6 * np.exp(-((across / 0.36) ** 4) - (down / 0.2) ** 4), 0, 1)
    lent += (picture - lent)[share > 0.5].mean(axis=0)
    share = share[..., np.newaxis]
    return np.clip(share * lent + (1 - share) * picture, 0, 255).astype(np.uint8)


@cache
def _head(name: str) -> tuple[Image, npt.NDArray[np.float32]]:
    """A portrait and how much of each pixel belongs to the head, with a soft edge."""
    picture = portrait(name)
    x1, y1, x2, y2 = FACE_BOXES[name.split()[0]]
    side = x2 - x1
    mask = np.zeros(picture.shape[:2], np.float32)
    center = ((x1 + x2) // 2, (y1 + y2) // 2)
    cv2.ellipse(mask, center, (round(0.75 * side), round(0.95 * side)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), side / 20)
    # Nothing beyond the portrait's own edge.
    mask[[0, -1], :] = mask[:, [0, -1]] = 0
    return picture, mask


def _paste(picture: npt.NDArray[np.float32], face: Face, time_s: float) -> None:
    """Draw a face on a picture."""
    name = face.shown(time_s)
    x, y, side, angle = face.at(time_s)
    x1, y1, x2, y2 = FACE_BOXES[name.split()[0]]
    left, top = max(0, math.floor(x - side)), max(0, math.floor(y - side))
    part = picture[top : max(top, math.ceil(y + side)), left : max(left, math.ceil(x + side))]
    if not part.size:
        return
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    warp = cv2.getRotationMatrix2D(middle, angle, side / (x2 - x1))
    warp[:, 2] += x - left - middle[0], y - top - middle[1]
    head, mask = _head(name)
    size = (part.shape[1], part.shape[0])
    share = cv2.warpAffine(mask, warp, size, flags=cv2.INTER_AREA)[..., None]
    drawn = cv2.warpAffine(head, warp, size, flags=cv2.INTER_AREA).astype(np.float32)
    part[:] = share * drawn + (1 - share) * part


def _room(size: tuple[int, int], seed: int) -> Image:
    """A background without a face: soft light, a few plain things, some grain."""
    random = np.random.default_rng(seed)
    width, height = size
    light = cv2.resize(
        random.uniform(70, 190, (3, 4, 3)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
    )
    for _ in range(6):
        corner = random.integers(0, (width, height))
        far = corner + random.integers(20, 160, 2)
        cv2.rectangle(light, corner.tolist(), far.tolist(), random.uniform(40, 210, 3).tolist(), -1)
    light += random.normal(0, 3, light.shape)
    return np.clip(light, 0, 255).astype(np.uint8)

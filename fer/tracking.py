"""Whose face is it?"""

import math

import numpy as np
import numpy.typing as npt
import supervision as sv
from trackers import OCSORTTracker

HOLD_S = 0.25
"""Seconds for which a face stays where it was seen last when a search misses it."""

TURNED_HOLD_S = 0.5
"""The same for a face that is turned away, which is missed more often."""

FORGET_S = 5.0
"""Seconds after which a face that is seen no more is forgotten."""

WAIT_S = 0.5
"""Seconds for which a newcomer waits for an id while a known face is out of view: it may be that
one, still half hidden."""

UNKNOWN_ID = -1
"""The id of a face that is not known yet."""

SAME_LOOK = 0.8
"""Likeness from which on a face is one that was lost. The same face in another light, tilted by 10
degrees or with another mouth is at 0.87 or above in 98 of 100 frames; of the pairs of different
people in scikit-image's part of LFW, 3 in 100 are as alike."""

SAME_TRACK = 0.5
"""Likeness that is enough where the motion says so too."""

_TRACK_WEIGHT = 0.2  # of the motion, where two faces compete
_LOOK_S = 2.0  # seconds after which an old look still counts 37 %
_SAME_PLACE_IOU = 0.1
_COVERED_IOU = 0.4  # with a box whose head then lies over this face too
_MOTION_S = 0.2  # seconds after which an old motion still counts 37 %
_GO_ON_S = 1.0  # for which a missed face is taken to go on as it went
_GROWTH = 0.3  # of a cover, in its sides a second, on each side
_MOST_GROWTH = 0.5
_BLOCKS = 8  # of a look, across and down

Floats = npt.NDArray[np.float32]


def take_looks(crops: npt.NDArray[np.uint8]) -> Floats:
    """Say what tells faces apart: their coarse light and shadow, however strong the light.

    Args:
        crops: Grey faces, uint8 of shape (n, 48, 48).

    Returns:
        Vectors of length 1, float32 of shape (n, 64). The product of two is
        the likeness of their faces, −1 to 1.
    """
    size = crops.shape[1] // _BLOCKS
    blocks = crops.reshape(-1, _BLOCKS, size, _BLOCKS, size).mean(axis=(2, 4), dtype=np.float32)
    looks = blocks.reshape(-1, _BLOCKS**2)
    return _unit(looks - looks.mean(axis=1, keepdims=True))


class _Face:
    """What is remembered of a face."""

    box: Floats
    track: int
    seen_s: float

    def __init__(self, look: Floats, time_s: float) -> None:
        self.look, self.learned_s, self.front_s = look, time_s, time_s
        self.seen_s, self.motion = -math.inf, np.zeros(2, np.float32)  # pixels a second

    def see(self, box: Floats, track: int, look: Floats, time_s: float) -> None:
        step_s = time_s - self.seen_s
        if 0 < step_s <= HOLD_S:
            old = math.exp(-step_s / _MOTION_S) if self.motion.any() else 0.0
            step = (box - self.box).reshape(2, 2).mean(axis=0)
            self.motion = old * self.motion + (1 - old) * step / step_s
        elif step_s:
            self.motion = np.zeros(2, np.float32)
        self.box, self.track, self.seen_s = box, track, time_s
        if not np.isnan(look).any():
            self.front_s = time_s
        if self.look @ look >= SAME_LOOK:  # not from a hand, or from who passes in front
            old = math.exp((self.learned_s - time_s) / _LOOK_S)
            self.look, self.learned_s = _unit(old * self.look + (1 - old) * look), time_s

    def in_view(self, time_s: float) -> bool:
        hold_s = HOLD_S if self.seen_s == self.front_s else TURNED_HOLD_S
        return time_s - self.seen_s <= hold_s

    def cover(self, time_s: float) -> Floats:
        """Where the face may be by now: it stayed, or went on as it went, or a little elsewhere."""
        missed_s = time_s - self.seen_s
        ahead = self.box + min(missed_s, _GO_ON_S) * np.tile(self.motion, 2)
        near, far = np.minimum(self.box, ahead)[:2], np.maximum(self.box, ahead)[2:]
        grown = min(_GROWTH * missed_s, _MOST_GROWTH) * (far - near)
        return np.concatenate([near - grown, far + grown], dtype=np.float32)


class FaceTracker:
    """Gives the faces of a stream ids that last.

    OC-SORT (Cao et al. 2023, arXiv:2203.14360) follows them by their motion.
    What they look like decides where motion cannot: when two meet, and when
    one comes back within `FORGET_S`.

    A cascade misses a face now and then for a frame or two. Such a face is
    carried on where it was for `HOLD_S`, so that its frame does not blink.

    Attributes:
        known: Where the faces of the last call are: `xyxy` in pixels, float32
            of shape (n, 4).
        misses: Whether a face is remembered that is not among them.
    """

    def __init__(self) -> None:
        self._tracker = OCSORTTracker(minimum_consecutive_frames=1)
        self._faces: dict[int, _Face] = {}
        self._new: dict[int, float] = {}  # since when a track belongs to no face
        self._count = 0
        self.known = np.empty((0, 4), np.float32)
        self.misses = False

    def __call__(
        self, found: sv.Detections, looks: Floats, time_s: float, *, covers: bool = False
    ) -> sv.Detections:
        """Follow the faces.

        Args:
            found: What a search found; only `xyxy` is used.
            looks: What `take_looks` says of them, shape (n, 64); a row of NaN
                is a face that is turned away.
            time_s: Time of the frame in seconds. It must not run backwards.
            covers: Keep a face that is missed until it is forgotten, in a box
                that grows and goes on with it: for faces that are to be hidden.

        Returns:
            Detections with `xyxy`, `tracker_id` (`UNKNOWN_ID` at first sight)
            and, as bool in `data`, ``read``: the face was found now and from
            the front; ``turned``: it is turned away.
        """
        tracks = self._tracker.update(
            sv.Detections(xyxy=found.xyxy, data={"look": looks}), timestamp=time_s
        )
        self._faces = {
            face: kept for face, kept in self._faces.items() if time_s - kept.seen_s <= FORGET_S
        }
        looks = np.asarray(tracks.data.get("look", looks), np.float32)
        boxes, numbers = tracks.xyxy.astype(np.float32), np.asarray(tracks.tracker_id, int)
        front = np.array([not np.isnan(look).any() for look in looks], bool)
        ids = self._match(numbers, looks, time_s)
        self._admit(ids, numbers, looks, time_s)
        for row, face in enumerate(ids.tolist()):
            if face != UNKNOWN_ID:
                self._faces[face].see(boxes[row], int(numbers[row]), looks[row], time_s)
        shown = front | (ids != UNKNOWN_ID)  # from the side, only who is known
        boxes, ids, front = boxes[shown], ids[shown], front[shown]
        held = self._missed(boxes, ids, time_s)
        self.known = np.vstack([boxes, *held.values()])
        self.misses = not self._faces.keys() <= {*ids.tolist(), *held}
        if covers:
            held = self._covers(boxes, ids, time_s)
        return self._with_held(boxes, ids, front, held, time_s)

    def _match(
        self, numbers: npt.NDArray[np.int_], looks: Floats, time_s: float
    ) -> npt.NDArray[np.int_]:
        """Give each track the face that it follows or resembles most, if there is one."""
        faces, kept = [*self._faces], [*self._faces.values()]
        likeness = looks @ np.reshape([face.look for face in kept], (-1, _BLOCKS**2)).T
        likeness[np.isnan(likeness)] = SAME_TRACK  # from the side nothing can be told
        recent = np.array([face.in_view(time_s) for face in kept], bool)
        tracks = np.where(np.isin(numbers, [*self._new]), UNKNOWN_ID, numbers)
        owned = np.array([face.track for face in kept], int)
        follows = recent & (tracks[:, np.newaxis] == owned)
        same = likeness >= np.where(follows, SAME_TRACK, SAME_LOOK)
        same[numbers == UNKNOWN_ID] = False
        rank = np.where(same, likeness + _TRACK_WEIGHT * follows, -1)
        ids = np.full(len(numbers), UNKNOWN_ID)
        for place in np.argsort(-rank, axis=None)[: np.count_nonzero(same)]:
            row, column = np.unravel_index(place, rank.shape)
            if ids[row] == UNKNOWN_ID and faces[column] not in ids:
                ids[row] = faces[column]
        return ids

    def _admit(
        self, ids: npt.NDArray[np.int_], numbers: npt.NDArray[np.int_], looks: Floats, time_s: float
    ) -> None:
        """Give ids to the newcomers that have waited for long enough."""
        all_there = len(self._faces) == np.count_nonzero(ids != UNKNOWN_ID)
        wait_s, since = 0.0 if all_there else WAIT_S, {}
        for row in np.flatnonzero((ids == UNKNOWN_ID) & (numbers != UNKNOWN_ID)):
            track = int(numbers[row])
            since[track] = self._new.get(track, time_s)
            if time_s - since[track] >= wait_s and not np.isnan(looks[row]).any():
                del since[track]
                self._faces[self._count] = _Face(looks[row], time_s)
                ids[row], self._count = self._count, self._count + 1
        self._new = since

    def _missed(self, boxes: Floats, ids: npt.NDArray[np.int_], time_s: float) -> dict[int, Floats]:
        """Where the faces are that were missed, but only just."""
        held = {
            face: kept.box
            for face, kept in self._faces.items()
            if face not in ids and kept.in_view(time_s)
        }
        return _apart(held, boxes, _SAME_PLACE_IOU)

    def _covers(self, boxes: Floats, ids: npt.NDArray[np.int_], time_s: float) -> dict[int, Floats]:
        """Where all the faces may be that were missed and are not forgotten."""
        missed = {face: kept.box for face, kept in self._faces.items() if face not in ids}
        return {
            face: self._faces[face].cover(time_s) for face in _apart(missed, boxes, _COVERED_IOU)
        }

    def _with_held(
        self,
        boxes: Floats,
        ids: npt.NDArray[np.int_],
        front: npt.NDArray[np.bool_],
        held: dict[int, Floats],
        time_s: float,
    ) -> sv.Detections:
        """Add the faces that were missed; the result of a call."""
        ids = np.append(ids, [*held]).astype(int)
        known = [self._faces.get(face) for face in ids.tolist()]
        turned = [face is not None and time_s - face.front_s > HOLD_S for face in known]
        return sv.Detections(
            xyxy=np.vstack([boxes, *held.values()]),
            tracker_id=ids,
            data={
                "read": np.append(front, [False] * len(held)).astype(bool),
                "turned": np.array(turned, bool),
            },
        )


def _apart(held: dict[int, Floats], boxes: Floats, iou: float) -> dict[int, Floats]:
    """Leave out those that lie where a box is."""
    if not len(boxes) or not held:
        return held
    overlaps = sv.box_iou_batch(np.stack([*held.values()]), boxes).max(axis=1)
    return {
        face: box
        for (face, box), overlap in zip(held.items(), overlaps, strict=True)
        if overlap < iou
    }


def _unit(vectors: Floats) -> Floats:
    """Scale vectors to length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)

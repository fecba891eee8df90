"""Whose face is it?"""

import numpy as np
import numpy.typing as npt
import supervision as sv
from trackers import OCSORTTracker

from fer.remembering import HOLD_S, LOOK_SIZE, SAME_LOOK, Floats, RememberedFace

FORGET_S = 5.0
"""Seconds after which a face that is seen no more is forgotten."""

WAIT_S = 0.5
"""Seconds for which a newcomer waits for an id while a known face is out of view: it may be that
one, still half hidden."""

UNKNOWN_ID = -1
"""The id of a face that is not known yet."""

SAME_TRACK = 0.5
"""Likeness that is enough where the motion says so too."""

_TRACK_WEIGHT = 0.2  # of the motion, where two faces compete
_SAME_PLACE_IOU = 0.1
_COVERED_IOU = 0.4  # with a box whose head then lies over this face too

Ids = npt.NDArray[np.int_]


class FaceTracker:
    """Gives the faces of a stream ids that last.

    OC-SORT (Cao et al. 2023, arXiv:2203.14360) follows them by their motion;
    to be where one has to be counts as much.
    What they look like decides where motion cannot: when two meet, and when
    one comes back within `FORGET_S`.

    A cascade misses a face now and then for a frame or two. Such a face is
    carried on where it was for `fer.remembering.HOLD_S`, so that its frame does not blink.

    Attributes:
        known: The faces of the last call, with `xyxy` and `tracker_id`.
        misses: Whether a face is remembered that is not among them.
        sure: Whether each looked like itself when it was looked at last.
    """

    def __init__(self) -> None:
        self._tracker = OCSORTTracker(minimum_consecutive_frames=1)
        self._faces: dict[int, RememberedFace] = {}
        self._new: dict[int, float] = {}  # since when a track belongs to no face
        self._count = 0
        self.known = sv.Detections(np.empty((0, 4), np.float32), tracker_id=np.empty(0, int))
        self.misses, self.sure = False, True

    def __call__(
        self, found: sv.Detections, looks: Floats, time_s: float, *, covers: bool = False
    ) -> sv.Detections:
        """Follow the faces.

        Args:
            found: What a search found: `xyxy`, as `tracker_id` who is where that
                face has to be (`UNKNOWN_ID` where that cannot be told), and in `data`
                ``tilt``, its degrees against the clock.
            looks: What `fer.remembering.take_looks` says of them, shape (n, 64); a row of NaN
                is a face that is turned away.
            time_s: Time of the frame in seconds. It must not run backwards.
            covers: Keep a face that is missed until it is forgotten, in a box
                that grows and goes on with it: for faces that are to be hidden.

        Returns:
            Detections with `xyxy`, `tracker_id` (`UNKNOWN_ID` at first sight)
            and in `data`, as bool, ``read``: the face was found now and from the
            front; ``turned``: it is turned away; and ``tilt`` as it was given.
        """
        placed = np.asarray(found.tracker_id, int)
        tracks = self._tracker.update(
            sv.Detections(found.xyxy, data={"look": looks, "placed": placed, **found.data}),
            timestamp=time_s,
        )
        self._faces = {
            face: kept for face, kept in self._faces.items() if time_s - kept.seen_s <= FORGET_S
        }
        looks = np.asarray(tracks.data.get("look", looks), np.float32)
        placed = np.asarray(tracks.data.get("placed", placed))
        boxes, numbers = tracks.xyxy.astype(np.float32), np.asarray(tracks.tracker_id, int)
        front = np.array([not np.isnan(look).any() for look in looks], bool)
        ids = self._match(numbers, placed, looks, time_s)
        self._admit(ids, numbers, looks, time_s)
        same = [
            self._faces[face].see(boxes[row], int(numbers[row]), looks[row], time_s)
            for row, face in enumerate(ids.tolist())
            if face != UNKNOWN_ID
        ]
        self.sure = all(same)
        shown = front | (ids != UNKNOWN_ID)  # from the side, only who is known
        boxes, ids = boxes[shown], ids[shown]
        tilts = np.asarray(tracks.data.get("tilt", found.data["tilt"]))
        data = {"read": front[shown], "tilt": tilts[shown]}
        seen = sv.Detections(boxes, tracker_id=ids, data=data)
        held = self._missed(boxes, ids, time_s)
        self.known = self._with_held(seen, held, time_s)
        self.misses = not self._faces.keys() <= {*ids.tolist(), *held}
        if not covers:
            return self.known
        return self._with_held(seen, self._covers(boxes, ids, time_s), time_s)

    def go_on(self, placed: sv.Detections, time_s: float) -> sv.Detections:
        """Take it that all known faces are there, and where; a tenth of a call's cost.

        Args:
            placed: Every face of `known`, seen from the front: `xyxy`,
                `tracker_id` and in `data` ``tilt``.
            time_s: Time of the frame in seconds. It must not run backwards.

        Returns:
            As a call.
        """
        boxes, ids = placed.xyxy.astype(np.float32), np.asarray(placed.tracker_id)
        for face, box in zip(ids.tolist(), boxes, strict=True):
            self._faces[face].go_on(box, time_s)
        data = {"read": np.full(len(ids), True), **placed.data}
        self.known = self._with_held(sv.Detections(boxes, tracker_id=ids, data=data), {}, time_s)
        return self.known

    def _match(self, numbers: Ids, placed: Ids, looks: Floats, time_s: float) -> Ids:
        """Give each track the face that it follows or resembles most, if there is one."""
        faces, kept = [*self._faces], [*self._faces.values()]
        likeness = looks @ np.reshape([face.look for face in kept], (-1, LOOK_SIZE)).T
        likeness[np.isnan(likeness)] = SAME_TRACK  # from the side nothing can be told
        recent = np.array([face.in_view(time_s) for face in kept], bool)
        tracks = np.where(np.isin(numbers, [*self._new]), UNKNOWN_ID, numbers)
        owned = np.array([face.track for face in kept], int)
        follows = (tracks[:, np.newaxis] == owned) & (owned != UNKNOWN_ID)
        follows = recent & (follows | (placed[:, np.newaxis] == faces))
        same = likeness >= np.where(follows, SAME_TRACK, SAME_LOOK)
        same[(numbers == UNKNOWN_ID) & (placed == UNKNOWN_ID)] = False
        rank = np.where(same, likeness + _TRACK_WEIGHT * follows, -1)
        ids = np.full(len(numbers), UNKNOWN_ID)
        for place in np.argsort(-rank, axis=None)[: np.count_nonzero(same)]:
            row, column = np.unravel_index(place, rank.shape)
            if ids[row] == UNKNOWN_ID and faces[column] not in ids:
                ids[row] = faces[column]
        return ids

    def _admit(self, ids: Ids, numbers: Ids, looks: Floats, time_s: float) -> None:
        """Give ids to the newcomers that have waited for long enough."""
        all_there = len(self._faces) == np.count_nonzero(ids != UNKNOWN_ID)
        wait_s, since = 0.0 if all_there else WAIT_S, {}
        for row in np.flatnonzero((ids == UNKNOWN_ID) & (numbers != UNKNOWN_ID)):
            track = int(numbers[row])
            since[track] = self._new.get(track, time_s)
            if time_s - since[track] >= wait_s and not np.isnan(looks[row]).any():
                del since[track]
                self._faces[self._count] = RememberedFace(looks[row], time_s)
                ids[row], self._count = self._count, self._count + 1
        self._new = since

    def _missed(self, boxes: Floats, ids: Ids, time_s: float) -> dict[int, Floats]:
        """Where the faces are that were missed, but only just."""
        held = {
            face: kept.box
            for face, kept in self._faces.items()
            if face not in ids and kept.in_view(time_s)
        }
        return _apart(held, boxes, _SAME_PLACE_IOU)

    def _covers(self, boxes: Floats, ids: Ids, time_s: float) -> dict[int, Floats]:
        """Where all the faces may be that were missed and are not forgotten."""
        missed = {face: kept.box for face, kept in self._faces.items() if face not in ids}
        return {
            face: self._faces[face].cover(time_s) for face in _apart(missed, boxes, _COVERED_IOU)
        }

    def _with_held(
        self, seen: sv.Detections, held: dict[int, Floats], time_s: float
    ) -> sv.Detections:
        """Add the faces that were missed; the result of a call."""
        ids = np.append(np.asarray(seen.tracker_id), [*held]).astype(int)
        known = [self._faces.get(face) for face in ids.tolist()]
        turned = [face is not None and time_s - face.front_s > HOLD_S for face in known]
        return sv.Detections(
            xyxy=np.vstack([seen.xyxy, *held.values()]),
            tracker_id=ids,
            data={
                "read": np.append(seen.data["read"], [False] * len(held)).astype(bool),
                "turned": np.array(turned, bool),
                "tilt": np.append(seen.data["tilt"], np.zeros(len(held))),
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

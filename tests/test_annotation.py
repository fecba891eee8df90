"""What is written beside a face, and where the frame is drawn."""

import numpy as np
import pytest
import supervision as sv

from fer import ExpressionAnnotator, ExpressionPipeline, FaceState, HaarFaceDetector
from fer.annotation import FaceView, choose_avatars, describe
from fer.avatars import load_avatar
from fer.expressions import EXPRESSION_NAMES
from tests.synthetic import portrait

ATTENTION = np.zeros((6, 6), np.float32)
ATTENTION[3, 3] = 1.0  # a little to the right of the middle, and below it

SMILE = (0, 0, 0, 0.93, 0.04, 0.03, 0)


def face(state=FaceState.OK, box=(200, 150, 300, 250), scores=SMILE, held=None):
    scores = np.float32([scores])
    named = scores.argmax(axis=1) if held is None else np.array([EXPRESSION_NAMES.index(held)])
    return sv.Detections(
        xyxy=np.float32([box]),
        class_id=named,
        confidence=scores[0, named],
        data={
            "class_name": np.array(EXPRESSION_NAMES)[named],
            "scores": scores,
            "state": np.array([state]),
            "attention": ATTENTION[np.newaxis],
        },
    )


def test_a_sure_face_is_named_with_its_probability():
    assert describe(face()) == ["happy 93 %"]


def test_an_unsure_face_names_the_two_likeliest():
    scores = (0, 0, 0.33, 0, 0.36, 0.31, 0)
    assert describe(face(FaceState.UNSURE, scores=scores)) == ["unsure: sad or fear"]


def test_the_label_that_is_held_is_named_even_if_another_is_likelier_now():
    scores = (0, 0, 0.33, 0, 0.36, 0.31, 0)
    assert describe(face(scores=scores, held="fear")) == ["fear 33 %"]
    assert describe(face(FaceState.UNSURE, scores=scores, held="fear")) == ["unsure: fear or sad"]


def test_an_unsure_face_does_not_name_a_label_that_two_others_have_overtaken():
    scores = np.array([0.1, 0.1, 0.1, 0.05, 0.35, 0.1, 0.2])
    assert describe(face(FaceState.UNSURE, scores=scores, held="happy")) == [
        "unsure: sad or neutral"
    ]


def test_a_face_that_cannot_be_read_says_why():
    assert describe(face(FaceState.DARK)) == ["too dark"]
    assert describe(face(FaceState.SMALL)) == ["too small or too far"]
    assert describe(face(FaceState.TURNED)) == ["turned away"]


@pytest.mark.parametrize("state", FaceState)
def test_the_colour_tells_no_expression_that_cannot_be_relied_on(state):
    scene = np.zeros((480, 640, 3), np.uint8)
    ExpressionAnnotator().annotate(scene, face(state))
    happy = (0x44, 0xC7, 0xF2)
    assert tuple(scene[250, 250]) == (happy if state == FaceState.OK else (255, 255, 255))


def test_the_box_is_drawn_on_the_scene_itself():
    scene = np.zeros((480, 640, 3), np.uint8)
    assert ExpressionAnnotator().annotate(scene, face()) is scene
    assert scene[250, 250].any() and scene[200, 200].any() and scene[200, 300].any()
    assert not scene[200, 250].any(), "the face itself stays free"


def test_nothing_is_drawn_without_a_face():
    scene = np.full((480, 640, 3), 7, np.uint8)
    ExpressionAnnotator().annotate(scene, face()[:0])
    assert (scene == 7).all()


def test_faces_at_the_edges_of_a_small_frame_can_be_drawn():
    scene = np.zeros((120, 160, 3), np.uint8)
    ExpressionAnnotator(120).annotate(scene, face(box=(-20, -20, 60, 60)))
    ExpressionAnnotator(120).annotate(scene, face(box=(120, 80, 200, 160)))
    assert scene.any()


NOISE = np.random.default_rng(0)
FACE_VIEWS = [FaceView.BLUR, FaceView.INSTEAD]
AVATAR_VIEWS = [FaceView.BESIDE, FaceView.INSTEAD]
UNREADABLE = [state for state in FaceState if state != FaceState.OK]


def noise(height=480, width=640):
    return NOISE.integers(0, 256, (height, width, 3), np.uint8)


def shows(scene, name, corner, side):
    """Whether an avatar is drawn at a place."""
    avatar = load_avatar(name, side)
    (x, y), opaque = corner, avatar[..., 3] == 255
    unlike = np.abs(scene[y : y + side, x : x + side].astype(int) - avatar[..., :3]).max(axis=2)
    return (unlike[opaque] < 8).mean() > 0.9  # a label may lie on it


@pytest.mark.parametrize("height", [120, 480, 1080])
def test_a_plain_view_is_the_default(height):
    scene = noise()
    plain = ExpressionAnnotator(height, FaceView.PLAIN).annotate(scene.copy(), face())
    np.testing.assert_array_equal(plain, ExpressionAnnotator(height).annotate(scene, face()))


@pytest.mark.parametrize("state", FaceState)
@pytest.mark.parametrize("box", [(200, 150, 300, 250), (0, 0, 120, 120), (560, 380, 660, 480)])
def test_an_avatar_instead_leaves_nothing_of_the_head_whatever_its_state(state, box):
    """Two scenes that differ in every pixel look the same where the head was."""
    scenes = [noise(), noise()]
    for scene in scenes:
        ExpressionAnnotator(faces=FaceView.INSTEAD).annotate(scene, face(state, box))
    x1, y1, x2, y2 = box
    hair, chin, ear = round(0.35 * (y2 - y1)), round(0.2 * (y2 - y1)), round(0.15 * (x2 - x1))
    head = np.s_[max(0, y1 - hair) : y2 + chin, (x1 + x2) // 2 : (x1 + x2) // 2 + 1]
    ears = np.s_[y1:y2, max(0, x1 - ear) : x2 + ear]
    for part in (head, ears):
        np.testing.assert_array_equal(scenes[0][part], scenes[1][part])


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_a_blurred_face_keeps_nothing_but_a_few_mean_colours(name):
    picture = portrait(name)
    detections = ExpressionPipeline(live=False)(picture)
    assert len(detections) == 1
    blurred = ExpressionAnnotator(faces=FaceView.BLUR).annotate(picture.copy(), detections)
    x1, y1, x2, y2 = (int(side) for side in detections.xyxy[0])
    inside = blurred[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 25
    assert not len(HaarFaceDetector()(blurred))


@pytest.mark.parametrize("state", FaceState)
@pytest.mark.parametrize("view", FACE_VIEWS)
def test_every_face_is_hidden(view, state):
    boxes = ((20, 40, 60, 80), (300, 200, 400, 300))
    detections = sv.Detections.merge([face(state, box) for box in boxes])
    scene = noise()
    before = scene.copy()
    ExpressionAnnotator(faces=view).annotate(scene, detections)
    for x1, y1, x2, y2 in boxes:
        kept = (scene == before).all(axis=2)[y1:y2, x1:x2]
        assert kept.mean() < 0.01


@pytest.mark.parametrize("state", UNREADABLE)
@pytest.mark.parametrize("view", AVATAR_VIEWS)
def test_a_face_that_cannot_be_read_gets_the_avatar_with_the_question_mark(view, state):
    assert choose_avatars(face(state)) == ["unknown"]
    scenes = [
        ExpressionAnnotator(faces=view).annotate(np.zeros((480, 640, 3), np.uint8), face(state))
        for state in (state, FaceState.OK)
    ]
    places = {FaceView.BESIDE: ((310, 150), 70), FaceView.INSTEAD: ((155, 95), 190)}
    assert shows(scenes[0], "unknown", *places[view])
    assert shows(scenes[1], "happy", *places[view])


@pytest.mark.parametrize(
    ("box", "corner"),
    [
        ((200, 150, 300, 250), (310, 150)),  # to the right
        ((540, 150, 640, 250), (460, 150)),  # to the left, where there is no room on the right
        ((-20, 420, 80, 520), (90, 410)),  # as far up as the picture reaches
    ],
)
def test_an_avatar_beside_a_face_is_wholly_in_the_picture_and_off_the_face(box, corner):
    scene = np.zeros((480, 640, 3), np.uint8)
    ExpressionAnnotator(faces=FaceView.BESIDE).annotate(scene, face(box=box))
    assert shows(scene, "happy", corner, 70)


def test_an_avatar_beside_a_face_hides_no_other_face():
    boxes = ((200, 150, 300, 250), (305, 150, 405, 250))
    detections = sv.Detections.merge([face(box=box) for box in boxes])
    scene = np.zeros((480, 640, 3), np.uint8)
    ExpressionAnnotator(faces=FaceView.BESIDE).annotate(scene, detections)
    assert shows(scene, "happy", (120, 150), 70) and shows(scene, "happy", (415, 150), 70)


@pytest.mark.parametrize("view", FaceView)
@pytest.mark.parametrize("size", [(48, 64), (1, 1), (2160, 3840)])
def test_each_view_can_be_drawn_on_any_picture_wherever_the_face_is(view, size):
    annotator = ExpressionAnnotator(size[0], view)
    for box in [
        (-50, -50, 5, 5),
        (0, 0, 64, 64),
        (1, 1, 2, 2),
        (60, 40, 200, 180),
        (-99, 0, -9, 9),
    ]:
        scene = np.zeros((*size, 3), np.uint8)
        assert annotator.annotate(scene, face(box=box)).shape == (*size, 3)


INSIDE = np.s_[150:250, 200:300]


def lay_heat(scene, view=FaceView.PLAIN, detections=None):
    """What attention changes in a scene: BGR before and after, as int."""
    detections = detections if detections is not None else face()
    plain, heated = (
        ExpressionAnnotator(faces=view, attention=shown).annotate(scene.copy(), detections)
        for shown in (False, True)
    )
    return plain.astype(int), heated.astype(int)


def test_without_being_asked_no_attention_is_shown():
    scene = noise()
    by_default = ExpressionAnnotator().annotate(scene.copy(), face())
    np.testing.assert_array_equal(by_default, lay_heat(scene)[0])


@pytest.mark.parametrize("view", [FaceView.PLAIN, FaceView.BESIDE, FaceView.BLUR])
def test_attention_glows_where_it_is_and_stays_inside_the_box(view):
    plain, heated = lay_heat(np.full((480, 640, 3), 90, np.uint8), view)
    change = np.abs(heated - plain).sum(axis=2)
    y, x = np.unravel_index(change.argmax(), change.shape)
    # The middle of the map's place (3, 3): 3.5 of 6 across a crop 104 pixels wide.
    assert (x, y) == pytest.approx((198 + 104 * 3.5 / 6, 148 + 104 * 3.5 / 6), abs=2)
    change[INSIDE] = 0
    assert not change.any()


def test_the_face_is_seen_through_the_heat():
    scenes = [noise(), noise()]
    heated = [lay_heat(scene)[1][INSIDE][4:-4, 4:-4] for scene in scenes]
    assert (np.abs(heated[0] - heated[1]).sum(axis=2) > 0).mean() > 0.99


@pytest.mark.parametrize("view", FACE_VIEWS)
def test_attention_shows_nothing_of_a_face_that_is_hidden(view):
    """Two faces of the same mean colours look the same."""
    scene = np.full((480, 640, 3), 90, np.uint8)
    other = scene.copy()
    other[INSIDE][:, ::2] += 20
    other[INSIDE][:, 1::2] -= 20
    first, second = (lay_heat(picture, view)[1][INSIDE] for picture in (scene, other))
    assert np.abs(first - second).max() <= 2
    assert np.abs(lay_heat(scene)[1][INSIDE] - lay_heat(other)[1][INSIDE]).max() > 10


def test_an_avatar_instead_gets_no_heat():
    plain, heated = lay_heat(noise(), FaceView.INSTEAD)
    np.testing.assert_array_equal(plain, heated)


@pytest.mark.parametrize("state", FaceState)
def test_there_is_heat_only_where_an_expression_is_named(state):
    plain, heated = lay_heat(noise(), detections=face(state))
    assert (plain != heated).any() == (state in (FaceState.OK, FaceState.UNSURE))


def test_a_face_without_attention_is_left_as_it_is():
    detections = face()
    detections.data["attention"] = np.zeros((1, 6, 6), np.float32)
    plain, heated = lay_heat(noise(), detections=detections)
    np.testing.assert_array_equal(plain, heated)


@pytest.mark.parametrize("box", [(-50, -50, 5, 5), (-20, 400, 120, 540), (1, 1, 2, 2)])
def test_attention_can_be_drawn_at_the_edges(box):
    lay_heat(noise(), detections=face(box=box))
    lay_heat(noise(48, 64), detections=face(box=box))


def test_a_part_of_a_picture_can_be_drawn_on_and_a_mirror_image_of_one_is_refused():
    annotator, picture = ExpressionAnnotator(), np.zeros((480, 640, 3), np.uint8)
    assert annotator.annotate(picture[100:, 50:500], face()).any()
    for view in (picture[:, ::-1], picture[::-1], picture[..., ::-1]):
        with pytest.raises(ValueError, match="ascontiguousarray"):
            annotator.annotate(view, face())

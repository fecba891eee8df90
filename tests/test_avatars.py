"""The drawings: there is one for each expression, in any size, drawn without fringes."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import fer.avatars
from fer import EXPRESSIONS
from fer.avatars import AVATAR_NAMES, load_avatar, paste
from tests.requirements import missing
from tests.streamlit_server import CHROMIUM

FOLDER = Path(fer.avatars.__file__).parent
ROOT = FOLDER.parent.parent


def test_there_is_one_for_each_expression_and_one_for_what_cannot_be_told():
    assert [e.name for e in EXPRESSIONS] == list(AVATAR_NAMES[:-1])
    for suffix in ("svg", "png"):
        assert {path.stem for path in FOLDER.glob(f"*.{suffix}")} == set(AVATAR_NAMES)


@pytest.mark.parametrize("side", [1, 48, 700])
@pytest.mark.parametrize("name", AVATAR_NAMES)
def test_it_comes_in_any_size_and_round(name, side):
    avatar = load_avatar(name, side)
    assert (avatar.shape, avatar.dtype) == ((side, side, 4), np.uint8)
    assert avatar[side // 2, side // 2, 3] == 255 or side == 1
    if side > 1:
        assert not avatar[0, 0].any(), "the corners are clear"
    assert (avatar[..., :3] <= avatar[..., 3:]).all(), "the colours are multiplied by the opacity"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_its_accent_is_the_colour_of_its_expression(expression):
    color = [int(expression.color[i : i + 2], 16) for i in (5, 3, 1)]
    assert load_avatar(expression.name, 96)[10, 48, :3].tolist() == color


def test_without_colour_each_still_differs_from_each_other():
    faces = [
        cv2.cvtColor(load_avatar(name, 48)[14:42, 12:36, :3].copy(), cv2.COLOR_BGR2GRAY)
        for name in AVATAR_NAMES
    ]
    for one in range(len(faces)):
        for other in range(one):
            unlike = np.abs(faces[one].astype(int) - faces[other]) > 80
            assert unlike.mean() > 0.08, (AVATAR_NAMES[one], AVATAR_NAMES[other])


def test_what_there_is_not_is_said():
    with pytest.raises(ValueError, match=r"no avatar 'smug'; expected one of: angry, .*unknown"):
        load_avatar("smug", 48)
    with pytest.raises(ValueError, match="0 pixels"):
        load_avatar("happy", 0)


def test_one_that_is_used_twice_cannot_be_spoilt():
    with pytest.raises(ValueError, match="read-only"):
        load_avatar("happy", 48)[0, 0] = 0


@pytest.mark.parametrize("ground", [0, 100, 255])
def test_its_edge_is_mixed_from_its_own_colour_and_the_ground(ground):
    scene = np.full((48, 48, 3), ground, np.uint8)
    avatar = load_avatar("neutral", 48)
    paste(scene, avatar, (0, 0))
    assert (scene[0, 0] == ground).all()
    share = avatar[..., 3:] / 255
    np.testing.assert_allclose(scene, avatar[..., :3] + (1 - share) * ground, atol=1)


def test_what_reaches_over_an_edge_is_left_out():
    avatar = load_avatar("sad", 40)
    room = np.full((200, 200, 3), 200, np.uint8)
    paste(room, avatar, (80, 80))
    for x, y in [(-20, -20), (-20, 30), (40, 40), (0, 0), (-5, -5)]:
        scene = np.full((50, 60, 3), 200, np.uint8)
        paste(scene, avatar, (x, y))
        np.testing.assert_array_equal(scene, room[80 - y : 130 - y, 80 - x : 140 - x])
    for corner in [(-40, 0), (60, 0), (0, -41), (0, 50), (500, 500)]:
        scene = np.full((50, 60, 3), 200, np.uint8)
        paste(scene, avatar, corner)
        assert (scene == 200).all()


@pytest.mark.browser
def test_the_png_files_are_what_chromium_makes_of_the_svg_files(tmp_path):
    if not CHROMIUM.exists():
        missing(f"There is no {CHROMIUM}.")
    subprocess.run([sys.executable, ROOT / "scripts" / "avatars", tmp_path], check=True)
    for name in AVATAR_NAMES:
        made, kept = (
            cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_UNCHANGED).astype(int)
            for folder in (tmp_path, FOLDER)
        )
        assert np.abs(made - kept).mean() < 0.5, name

"""Cropping and the network's input."""

import cv2
import numpy as np
import pytest

from fer.preprocessing import BOX_MARGIN, crop_faces, network_input, validate_frame


def gradient(height=200, width=300):
    """A frame whose grey level is its column, so that a crop says where it is from."""
    return np.repeat(np.tile(np.arange(width, dtype=np.uint8), (height, 1))[..., None], 3, axis=2)


def box_of_crop(left, top, side=48):
    """The box round which a crop is cut from there."""
    middle, half = np.array([left, top]) + side / 2, side / BOX_MARGIN / 2
    return np.concatenate([middle - half, middle + half])


def test_a_box_inside_the_frame_is_cut_where_it_is():
    crop = crop_faces(gradient(), np.float32([box_of_crop(100, 50)]))
    assert np.array_equal(crop[0, 0], np.arange(100, 148))


def test_a_box_over_the_edge_repeats_the_edge():
    crop = crop_faces(gradient(), np.float32([box_of_crop(-24, 0)]))
    assert (crop[0, :, :24] == 0).all()
    assert np.array_equal(crop[0, 0, 24:], np.arange(24))


@pytest.mark.parametrize("box", [[-90, -90, -40, -40], [900, 900, 950, 950], [10, 10, 10, 10]])
def test_a_box_outside_or_without_area_still_gives_a_crop(box):
    assert crop_faces(gradient(), np.float32([box])).shape == (1, 48, 48)


def test_an_oblong_box_is_cut_as_a_square_so_that_faces_are_not_stretched():
    frame = np.zeros((200, 200, 3), np.uint8)
    cv2.circle(frame, (100, 100), 30, (255, 255, 255), -1)
    crop = crop_faces(frame, np.float32([[60, 80, 140, 120]]))[0]
    rows, columns = np.nonzero(crop > 127)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1


def test_colour_is_read_as_blue_green_red():
    frame = np.zeros((48, 48, 3), np.uint8)
    frame[..., 2] = 255
    assert crop_faces(frame, np.float32([[0, 0, 48, 48]]))[0, 0, 0] == 76  # 0.299 of red


def test_no_boxes_give_no_crops():
    assert network_input(crop_faces(gradient(), np.empty((0, 4)))).shape == (0, 48, 48, 1)


def test_the_network_gets_the_grey_levels_as_they_are():
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype(np.uint8)
    inputs = network_input(faces)
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs[..., 0], faces)


@pytest.mark.parametrize(
    "faces", [np.zeros((1, 48, 48), np.float32), np.zeros((1, 64, 64), np.uint8)]
)
def test_faces_of_another_kind_are_refused(faces):
    with pytest.raises(ValueError, match="expected grey faces"):
        network_input(faces)


@pytest.mark.parametrize(
    ("frame", "came"),
    [
        (None, "NoneType"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
    ],
)
def test_a_wrong_frame_is_refused_with_what_was_expected_and_what_came(frame, came):
    with pytest.raises(ValueError, match=f"expected a BGR image.*{came}"):
        validate_frame(frame)

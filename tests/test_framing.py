import numpy as np

from fer.training.framing import refind
from tests.training_data import real_face


def test_face_is_found_again_as_it_was_framed() -> None:
    face = real_face()
    again = refind(np.stack([face] * 6))
    assert again.found.all()
    assert again.faces.shape == (6, 48, 48)
    np.testing.assert_allclose(again.scales, 1, atol=0.15)
    np.testing.assert_allclose(again.offsets, 0, atol=0.1)
    difference = np.abs(again.faces.astype(int) - face).mean(axis=(1, 2))
    assert difference.max() < 30
    assert again.summary()["found"] == 1


def test_what_is_no_face_is_left_out_and_the_rest_keeps_its_place() -> None:
    flat = np.full((48, 48), 128, np.uint8)
    again = refind(np.stack([flat, real_face(), flat]))
    assert again.found.tolist() == [False, True, False]
    assert len(again.faces) == len(again.scales) == len(again.offsets) == 1


def test_places_hang_on_the_seed_only() -> None:
    faces = np.stack([real_face()] * 2)
    first, second, other = refind(faces), refind(faces), refind(faces, seed=1)
    assert np.array_equal(first.faces, second.faces)
    assert not np.array_equal(first.faces, other.faces)


def test_nothing_found_is_no_error() -> None:
    again = refind(np.zeros((2, 48, 48), np.uint8))
    assert again.faces.shape == (0, 48, 48)
    assert again.summary() == {"found": 0}

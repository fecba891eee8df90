from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer.card import ModelCard, load_card
from fer.classification import calibrated, softmax
from fer.errors import DatasetError
from fer.training import calibration
from fer.training.calibration import calibrate, fit_calibration
from fer.training.evaluation import evaluate, score_faces
from fer.training.export import export_litert
from tests.disks import small_files
from tests.training_data import make_dataset, make_rows, tiny_network

# Keras converts arrays the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PLAIN = ModelCard("se_resnet")
DATASET = make_dataset(make_rows(training=1, public=8, private=4))


def overconfident(temperature: float, count: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose labels were drawn from them after a division by the temperature."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (count, 7))
    labels = [random.choice(7, p=p / p.sum()) for p in softmax(logits / temperature).astype(float)]
    return logits, np.array(labels)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    tiny_network().save(folder / "fer.keras")
    export_litert(folder / "fer.keras", folder)
    return folder


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature: float) -> None:
    card = fit_calibration(PLAIN, *overconfident(temperature))
    assert card.temperature == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(card.bias, 0, atol=0.15)


def test_class_that_is_named_too_often_is_found_again() -> None:
    logits, labels = overconfident(2.0)
    logits[:, 4] += 1.5
    card = fit_calibration(PLAIN, logits, labels)
    assert card.temperature == pytest.approx(2.0, rel=0.05)
    others = np.delete(card.bias, 4)
    assert card.bias[4] - others.mean() == pytest.approx(-1.5 / 2.0, abs=0.15)
    assert np.ptp(others) < 0.2


def test_probability_that_no_temperature_mends_is_mended_by_the_reliability() -> None:
    """Each third answer is chance, however sure the network is of it."""
    logits, labels = overconfident(1.0)
    lost = np.random.default_rng(1).random(len(labels)) < 1 / 3
    labels[lost] = np.random.default_rng(2).integers(7, size=lost.sum())
    card = fit_calibration(PLAIN, logits, labels)
    error = evaluate(calibrated(logits, card), labels).expected_calibration_error
    straight = replace(card, reliability=PLAIN.reliability)
    assert evaluate(calibrated(logits, straight), labels).expected_calibration_error > 0.03
    assert error < 0.02
    said, right = np.transpose(card.reliability)
    assert (np.diff(said) > 0).all() and (np.diff(right) >= 0).all()


def test_calibration_does_not_hang_on_a_constant_in_the_rows() -> None:
    logits, labels = overconfident(2.0, count=500)
    shifted = logits + np.arange(500)[:, np.newaxis]
    ours, theirs = (fit_calibration(PLAIN, rows, labels) for rows in (shifted, logits))
    assert ours.temperature == pytest.approx(theirs.temperature, rel=1e-3)
    np.testing.assert_allclose(ours.bias, theirs.bias, atol=1e-3)


def test_calibration_writes_the_temperature_and_figures_that_can_be_repeated(
    exported: Path, tmp_path: Path
) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    card = calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    assert card == load_card(tmp_path)
    assert set(card.figures) == {"calibration", "public", "private"}
    public = DATASET.split("public")
    again = evaluate(score_faces(tmp_path, public.faces), public.labels).summary()
    assert again.items() <= card.figures["public"].items()
    assert card.figures["public"]["command"] == (
        "python -m fer evaluate --data fer2013.csv --split public "
        f"--model {tmp_path} --flip --refound"
    )


def test_second_calibration_gives_what_the_first_gave(exported: Path, tmp_path: Path) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    first = calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    assert calibrate(tmp_path, DATASET, Path("fer2013.csv")) == first


def test_calibration_mends_a_network_that_is_too_sure(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_litert(exported / "fer.keras", tmp_path)
    logits, labels = overconfident(2.5, count=2000)
    rows = make_rows(training=0, public=1, private=0)
    one = make_dataset(rows).where(np.arange(7) == 0)
    dataset = replace(
        one,
        faces=np.repeat(one.faces, 2000, axis=0),
        labels=labels,
        usage=np.repeat(one.usage, 2000),
        no_face=np.zeros(2000, bool),
    )
    monkeypatch.setattr(
        calibration,
        "score_faces",
        lambda folder, faces: calibrated(logits, load_card(folder)),
    )
    card = calibrate(tmp_path, dataset, Path("fer2013.csv"))
    figures = card.figures["calibration"]
    assert card.temperature == pytest.approx(2.5, rel=0.1)
    assert figures["before"]["faces"] == figures["after"]["faces"] == 2000
    assert figures["before"]["expected_calibration_error"] > 0.15
    assert figures["after"]["expected_calibration_error"] < 0.05
    assert figures["after"]["accuracy"] == pytest.approx(figures["before"]["accuracy"], abs=0.01)


@pytest.mark.parametrize("step", ["score_faces", "evaluate_on"])
def test_calibration_that_is_broken_off_leaves_the_card_as_it_was(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    card = replace(export_litert(exported / "fer.keras", tmp_path), temperature=2.0)
    card.save(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        calibrate(tmp_path, DATASET, Path("fer2013.csv"))
    assert load_card(tmp_path) == card


def test_card_for_which_there_is_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    PLAIN.save(tmp_path)
    with small_files(1), pytest.raises(OSError):
        replace(PLAIN, figures={"command": 1000 * "a"}).save(tmp_path)
    assert load_card(tmp_path) == PLAIN


def test_calibration_without_public_test_is_refused(exported: Path) -> None:
    with pytest.raises(DatasetError, match="no picture of the split 'public'"):
        calibrate(exported, make_dataset(make_rows(public=0)), Path("fer2013.csv"))

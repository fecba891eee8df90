import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fer import cli
from fer.expressions import EXPRESSION_NAMES
from fer.pipeline import ExpressionPipeline
from fer.training import train as training
from fer.training.networks import NETWORKS
from tests.training_data import make_rows, tiny_network, write_csv, write_folders

ROOT = Path(__file__).parent.parent
ROWS = make_rows(training=2, public=2, private=1)


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def is_one_sentence(self) -> bool:
        """One line on stderr, and no traceback."""
        return self.code == 1 and self.err.count("\n") == 1 and "Traceback" not in self.err


Fer = Callable[..., Result]


pytestmark = [
    # Keras leaves its log open when a run is broken off, and converts arrays the old way.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", tiny_network)
        yield


@pytest.fixture
def fer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fer:
    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fer", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Result(code, *capsys.readouterr())

    # The log would go to the stderr of the first test that ran.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "fer2013.csv", ROWS)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        arguments = ["--data", data, "--network", "tiny", "--epochs", "2", "--out", out]
        patch.setattr(sys, "argv", ["fer", "train", *map(str, arguments)])
        patch.setattr(logging, "basicConfig", lambda **_: None)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
    return out


def test_trained_folder_runs_in_the_apps(trained: Path) -> None:
    held = {path.name for path in trained.iterdir()}
    assert {"fer.keras", "fer.tflite", "card.json", "log.csv", "curves.png"} <= held
    assert json.loads((trained / "card.json").read_text())["network"] == "tiny"
    ExpressionPipeline(model=trained)


def test_resuming_a_finished_run_is_right_at_once(trained: Path, data: Path, fer: Fer) -> None:
    before = (trained / "fer.keras").read_bytes()
    result = fer(
        *("train", "--data", data, "--network", "tiny", "--epochs", 2, "--out", trained, "--resume")
    )
    assert result.code == 0
    assert (trained / "fer.keras").read_bytes() == before


def test_json_is_all_that_stdout_holds(trained: Path, data: Path, fer: Fer) -> None:
    result = fer("evaluate", "--data", data, "--split", "test", "--model", trained, "--json")
    measured = json.loads(result.out)
    assert measured["split"] == "test"
    assert measured["faces"] == 21
    assert measured["model"] == str(trained / "fer.tflite")
    assert list(measured["recall"]) == list(EXPRESSION_NAMES)


def test_both_forms_of_a_model_measure_alike(trained: Path, data: Path, fer: Fer) -> None:
    results = [
        json.loads(fer("evaluate", "--data", data, "--model", trained / name, "--json").out)
        for name in ("fer.tflite", "fer.keras")
    ]
    assert results[0]["accuracy"] == results[1]["accuracy"]
    losses = [result["negative_log_likelihood"] for result in results]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_folder_set_is_told_apart_by_its_prefixes(trained: Path, tmp_path: Path, fer: Fer) -> None:
    root = write_folders(tmp_path, ROWS)
    faces = {
        split: json.loads(
            fer("evaluate", "--data", root, "--split", split, "--model", trained, "--json").out
        )["faces"]
        for split in ("training", "public", "private", "test")
    }
    assert faces == {"training": 14, "public": 14, "private": 7, "test": 21}


def test_evaluation_prints_a_table_for_people(trained: Path, data: Path, fer: Fer) -> None:
    result = fer("evaluate", "--data", data, "--model", trained)
    assert result.code == 0
    assert all(name in result.out for name in (*EXPRESSION_NAMES, "accuracy", "macro F1"))


def test_model_is_taken_from_the_environment(
    trained: Path, data: Path, fer: Fer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_MODEL", str(trained))
    result = fer("evaluate", "--data", data, "--json")
    assert json.loads(result.out)["model"] == str(trained / "fer.tflite")


def test_export_with_data_calibrates(trained: Path, data: Path, tmp_path: Path, fer: Fer) -> None:
    result = fer("export", "--model", trained, "--out", tmp_path / "model", "--data", data)
    assert result.code == 0
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["network"] == "tiny"
    assert card["temperature"] != 1
    again = fer(*card["figures"]["private"]["command"].split()[3:], "--json")
    assert json.loads(again.out)["accuracy"] == card["figures"]["private"]["accuracy"]


def test_export_without_data_keeps_the_calibration(
    trained: Path, data: Path, tmp_path: Path, fer: Fer
) -> None:
    fer("export", "--model", trained, "--out", tmp_path, "--data", data)
    before = (tmp_path / "card.json").read_text()
    assert fer("export", "--model", tmp_path / "fer.keras", "--out", tmp_path).code == 0
    assert json.loads((tmp_path / "card.json").read_text())["temperature"] == pytest.approx(
        json.loads(before)["temperature"]
    )


def test_unknown_split_lists_the_choices(trained: Path, data: Path, fer: Fer) -> None:
    result = fer("evaluate", "--data", data, "--split", "valid", "--model", trained)
    assert result.is_one_sentence()
    assert "'valid'; choose one of: training, public, private, test" in result.err


def test_unknown_network_lists_the_choices(data: Path, tmp_path: Path, fer: Fer) -> None:
    result = fer("train", "--data", data, "--network", "lenet", "--out", tmp_path / "run")
    assert result.is_one_sentence()
    assert "'lenet'; choose one of: se_resnet" in result.err


def test_missing_data_is_one_sentence(tmp_path: Path, fer: Fer) -> None:
    result = fer("train", "--data", tmp_path / "gone.csv", "--out", tmp_path / "run")
    assert result.is_one_sentence()
    assert "gone.csv" in result.err
    assert not (tmp_path / "run").exists()


def test_bad_row_is_one_sentence_with_its_number(tmp_path: Path, fer: Fer) -> None:
    bad = write_csv(tmp_path / "fer2013.csv", ROWS)
    bad.write_text(bad.read_text() + "9,1 2 3,Training\n")
    result = fer("train", "--data", bad, "--out", tmp_path / "run")
    assert result.is_one_sentence()
    assert f"row {len(ROWS) + 1}: unknown label '9'" in result.err


def test_missing_model_is_one_sentence(data: Path, tmp_path: Path, fer: Fer) -> None:
    for name in ("gone.tflite", "gone.keras"):
        result = fer("evaluate", "--data", data, "--model", tmp_path / name)
        assert result.is_one_sentence()
        assert name in result.err


def test_folder_that_holds_a_run_is_not_trained_over(trained: Path, data: Path, fer: Fer) -> None:
    result = fer("train", "--data", data, "--network", "tiny", "--out", trained)
    assert result.is_one_sentence()
    assert "--resume" in result.err


def test_output_that_cannot_be_written_is_one_sentence(
    trained: Path, data: Path, tmp_path: Path, fer: Fer
) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (
        ("train", "--data", data, "--network", "tiny", "--out", tmp_path / "file" / "run"),
        ("export", "--model", trained, "--out", tmp_path / "file" / "run"),
    ):
        result = fer(*arguments)
        assert result.is_one_sentence()
        assert "not a directory" in result.err


def test_full_disk_is_one_sentence(
    data: Path, tmp_path: Path, fer: Fer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "run"))

    monkeypatch.setattr(training.Checkpoint, "on_epoch_end", fail)
    result = fer(
        *("train", "--data", data, "--network", "tiny", "--epochs", 2, "--out", tmp_path / "run")
    )
    assert result.is_one_sentence()
    assert result.err == f"{tmp_path / 'run'}: no space left on device.\n"


def test_interrupted_training_says_how_to_go_on(
    data: Path, tmp_path: Path, fer: Fer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    command = ("train", "--data", data, "--network", "tiny", "--epochs", 2, "--out", tmp_path / "r")
    with monkeypatch.context() as patch:
        patch.setattr(training.Curves, "on_epoch_end", interrupt)
        result = fer(*command)
    assert result.code == 130
    assert result.err.startswith("Stopped. Go on with: python -m fer train --data")
    assert result.err.endswith("--resume\n")
    arguments = result.err.split("python -m fer ")[1].split()
    assert fer(*arguments).code == 0
    assert (tmp_path / "r" / "fer.tflite").exists()


def test_damaged_model_file_is_not_measured(
    trained: Path, data: Path, tmp_path: Path, fer: Fer
) -> None:
    for name in ("fer.tflite", "fer.keras", "card.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    (tmp_path / "fer.tflite").write_bytes(b"0" * 4000)
    result = fer("evaluate", "--data", data, "--model", tmp_path)
    assert result.is_one_sentence()
    assert "SHA-256 differs" in result.err


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys; sys.argv = ['fer', 'train', '--help']\n"
        "from fer.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--resume" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["evaluate", "--split", "all"], "There is no split 'all'; choose one of: training,"),
        (["train", "--network", "lenet", "--out", "gone"], "There is no network 'lenet'; choose"),
    ],
)
def test_module_prints_its_sentence_and_nothing_of_tensorflow(
    command: list[str], complaint: str
) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "fer", *command, "--data", "gone.csv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert Result(shown.returncode, shown.stdout, shown.stderr).is_one_sentence()
    assert shown.stderr.startswith(complaint)

"""FER-2013 from Kaggle: the real kagglehub, before a Kaggle of our own and before none."""

import importlib.util
import io
import json
import shlex
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fer.cli import app
from fer.errors import DatasetError
from fer.training import download as module
from fer.training.datasets import load_dataset
from fer.training.download import download
from tests.disks import small_files
from tests.training_data import make_rows, write_folders

ROOT = Path(__file__).parent.parent
pytest.importorskip("kagglehub")


class Kaggle(ThreadingHTTPServer):
    """Answers as Kaggle does; `status` and `archive` may be set to something worse."""

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.archive, self.status = archive, 200
        self.stated = len(archive)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Kaggle

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        fetching = self.path.endswith("/DownloadDataset")
        body = self.server.archive if fetching else json.dumps({"currentVersionNumber": 1}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/zip" if fetching else "application/json")
        self.send_header("Content-Length", str(self.server.stated if fetching else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    from kagglesdk import kaggle_env

    rows = make_rows(training=2, public=1, private=1)
    folder = write_folders(tmp_path / "kaggle", rows)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.png"):
            file.write(path, path.relative_to(folder))
    server = Kaggle(archive.getvalue())
    monkeypatch.setattr(module, "_API", server.url)
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without credentials."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_API_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def leftovers(folder: Path) -> set[str]:
    """What lies beside the fake Kaggle's own files."""
    return {path.name for path in folder.iterdir()} - {"kaggle", "credentials"}


def test_the_command_fetches_the_set_and_says_what_to_do_with_it(
    kaggle: Kaggle, tmp_path: Path
) -> None:
    out = tmp_path / "data" / "fer 2013"
    result = CliRunner().invoke(app, ["data", "download", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"FER-2013 lies in {out}." in result.stdout
    command = shlex.split(result.stdout.splitlines()[-1])
    assert command[:5] == ["python", "-m", "fer", "train", "--data"]
    assert len(load_dataset(Path(command[5]))) == 28
    assert {path.name for path in out.iterdir()} == {"train", "test"}
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_what_is_there_is_not_fetched_again(kaggle: Kaggle, tmp_path: Path) -> None:
    out = download(tmp_path / "out")
    kaggle.status = 500
    assert download(out) == out


def test_an_empty_folder_may_be_there(kaggle: Kaggle, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert len(load_dataset(download(tmp_path / "out"))) == 28


def test_a_folder_with_something_else_is_left_alone(kaggle: Kaggle, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="holds something else already"):
        download(out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "Kaggle refuses (401): make a token at"),
        (403, "Kaggle refuses (403): make a token at"),
        (404, "Kaggle no longer has msambare/fer2013 (404)"),
        (429, "Kaggle answers with an error (429): try again later"),
        (500, "Kaggle answers with an error (500): try again later"),
    ],
)
def test_what_kaggle_answers_is_said_in_one_sentence(
    kaggle: Kaggle, tmp_path: Path, status: int, sentence: str
) -> None:
    kaggle.status = status
    with pytest.raises(DatasetError) as caught:
        download(tmp_path / "out")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == set()


def test_a_cut_connection_leaves_nothing_behind(kaggle: Kaggle, tmp_path: Path) -> None:
    kaggle.stated += 1000
    with pytest.raises(DatasetError, match="the connection was cut"):
        download(tmp_path / "out")
    assert leftovers(tmp_path) == set()


def test_a_damaged_archive_leaves_nothing_behind(kaggle: Kaggle, tmp_path: Path) -> None:
    middle = len(kaggle.archive) // 2
    kaggle.archive = kaggle.archive[:middle] + bytes(100) + kaggle.archive[middle + 100 :]
    with pytest.raises(DatasetError, match="damaged"):
        download(tmp_path / "out")
    assert leftovers(tmp_path) == set()


def test_what_is_no_archive_is_damaged_too(kaggle: Kaggle, tmp_path: Path) -> None:
    kaggle.archive = b"?" * kaggle.stated
    with pytest.raises(DatasetError, match="damaged"):
        download(tmp_path / "out")


def test_another_set_under_the_name_is_not_taken(kaggle: Kaggle, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("cats.txt", "meow")
    kaggle.archive = archive.getvalue()
    kaggle.stated = len(kaggle.archive)
    with pytest.raises(DatasetError, match=r"no longer holds train/ and test/"):
        download(tmp_path / "out")
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize("text", ["{", '{"username": "me"}'])
def test_credentials_that_are_none_are_told(kaggle: Kaggle, tmp_path: Path, text: str) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "kaggle.json").write_text(text)
    with pytest.raises(DatasetError, match=r"credentials file at .*kaggle\.json.*: make a token"):
        download(tmp_path / "out")


def test_a_full_disk_is_one_sentence(kaggle: Kaggle, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_files(16):
        with pytest.raises(DatasetError, match=f"cannot be written to {disk}: File too large"):
            download(disk / "out")
        assert list(disk.iterdir()) == []


def test_a_missing_kagglehub_is_said_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r'pip install -e "\.\[kaggle\]"'):
        download(tmp_path / "out")


def test_without_a_network_there_is_one_sentence_within_seconds(tmp_path: Path) -> None:
    """A real call; the proxy that swallows everything stands for a network that does."""
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # never served
    command = [sys.executable, "-m", "fer", "data", "download", "--out", str(tmp_path / "out")]
    begun = time.monotonic()
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={"HTTPS_PROXY": f"http://127.0.0.1:{silent.server_address[1]}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    silent.server_close()
    assert time.monotonic() - begun < module._TIMEOUT_S + 60  # of a busy machine
    assert result.returncode == 1
    assert result.stderr.startswith("Kaggle cannot be reached")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()

"""What the server keeps of a visitor, seen from outside: the folders of a real server."""

import gc
import os
import re
import signal
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import VideoStreamTrack

from fer.sample import SAMPLE_PHOTOS
from fer.web import memory
from fer.web.relay import AnsweredTrack
from fer.web.uploads import empty
from fer.web.visit import Visit, _Caretaker
from tests.browser import chromium, open_page, settle, upload
from tests.streamlit_server import Server, browser_arguments, running_page
from tests.waiting import PATIENCE_S, wait_for

TTL_S = 3

KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...all) { super(...all); sockets.push(this); }
};"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The server's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@contextmanager
def server_in(
    temporary: Path, log: Path, ttl_s: int = 120, megabytes: int = 200
) -> Iterator[Server]:
    """A server that keeps a session whose browser has left for so many seconds.

    And takes so many megabytes at a time.
    """
    log.parent.mkdir()
    limits = {
        "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(ttl_s),
        "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": str(megabytes),
    }
    with running_page(log, environment={"TMPDIR": str(temporary), **limits}) as server:
        yield server


def visits(temporary: Path) -> list[Path]:
    return sorted(temporary.glob("fer-visit-*"))


UPLOADS, PICTURES = "UploadedFileManager", "st_memory_media_file_storage"


def kept_in_memory(server: Server, *kinds: str) -> int:
    """Bytes of uploads and pictures that Streamlit holds, by its own count."""
    with urllib.request.urlopen(f"{server.url}/_stcore/metrics") as answer:
        metrics = answer.read().decode()
    kinds = kinds or (UPLOADS, PICTURES)
    lines = [line for line in metrics.splitlines() if any(kind in line for kind in kinds)]
    return sum(int(re.split(r"\s+", line)[1]) for line in lines)


def read_sample(browser: Any, server: Server, script: str = "") -> Any:
    """A tab in which the sample's photographs were read."""
    page = open_page(browser, f"{server.url}/photo", script)
    page.get_by_text("Sample", exact=True).click()
    page.get_by_role("button", name="Read two portraits").click()
    page.get_by_role("img", name="hopper").wait_for()
    return page


def test_a_visit_outlives_a_short_absence_and_leaves_nothing_behind(
    temporary: Path, tmp_path: Path
) -> None:
    with (
        server_in(temporary, tmp_path / "a" / "log.txt", TTL_S) as server,
        chromium(*browser_arguments(None)) as browser,
    ):
        page = read_sample(browser, server)
        [visit] = visits(temporary)
        assert len(list(visit.iterdir())) == 2
        assert kept_in_memory(server) > 10_000

        page.reload()  # begins another visit; the first ends like any other
        page.get_by_text("Sample", exact=True).wait_for()
        wait_for(lambda: {*visits(temporary)} - {visit}, "the second visit")
        wait_for(lambda: visit not in visits(temporary), "the end of the first visit")

        [second] = visits(temporary)
        time.sleep(2 * TTL_S)  # a visitor who does nothing is still there
        assert visits(temporary) == [second]
        page.close()
        wait_for(lambda: not visits(temporary), "the end of the visit")
        wait_for(lambda: kept_in_memory(server) == 0, "the end of the session")


def test_of_more_files_than_may_wait_the_first_are_read_and_the_next_may_come(
    temporary: Path, tmp_path: Path
) -> None:
    photo = SAMPLE_PHOTOS[0].read_bytes().ljust(300_000, b"\0")
    files = [
        {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": photo} for number in range(5)
    ]
    with (
        server_in(temporary, tmp_path / "a" / "log.txt", megabytes=1) as server,
        chromium(*browser_arguments(None)) as browser,
    ):
        page = open_page(browser, f"{server.url}/photo")
        answers: list[int] = []
        page.on(
            "response",
            lambda answer: answer.request.method == "PUT" and answers.append(answer.status),
        )
        upload(page, files)
        page.get_by_text("2 files were left out: expected 1 MB at most at a time.").wait_for()
        page.get_by_role("img", name=".jpg").nth(2).wait_for()
        assert sorted(answers) == [204, 204, 204, 413, 413]
        wait_for(lambda: kept_in_memory(server, UPLOADS) == 0, "what was read to be let go")
        upload(page, files[:3])
        page.get_by_role("img", name=".jpg").nth(5).wait_for()
        assert not page.get_by_text("left out").count()


def test_a_lost_connection_that_comes_back_finds_the_visit_as_it_was(
    temporary: Path, tmp_path: Path
) -> None:
    with (
        server_in(temporary, tmp_path / "a" / "log.txt") as server,
        chromium(*browser_arguments(None)) as browser,
    ):
        page = read_sample(browser, server, KEEP_SOCKETS)
        [visit] = visits(temporary)
        with page.expect_websocket():
            page.evaluate("sockets.at(-1).close()")
        settle(page)  # what is pressed before it is connected is lost
        page.get_by_text("Blurred", exact=True).click()
        wait_for(
            lambda: any("blur" in path.name for path in visit.iterdir()), "the blurred picture"
        )
        assert visits(temporary) == [visit]


def test_a_visit_that_nobody_touched_for_long_is_not_taken_for_a_dead_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caretaker = _Caretaker()
    first = caretaker.open()
    os.utime(first.folder, (0, 0))  # as after a night in which the machine slept
    caretaker.open()
    assert first.folder.exists()


@pytest.mark.parametrize("what", ["stream", "upload", "visit"])
def test_what_ended_gives_its_memory_back(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = threading.Event()
    wait_for(lambda: not memory._due.locked(), "what other tests left")
    monkeypatch.setattr(memory, "_DELAY_S", 0)
    monkeypatch.setattr(gc, "collect", given.set)
    if what == "visit":
        Visit().end()
    elif what == "upload":
        empty()
    else:
        AnsweredTrack(VideoStreamTrack(), SimpleNamespace(on_ended=lambda: None)).stop()
    assert given.wait(PATIENCE_S)


def test_a_server_that_ends_deletes_all_and_one_that_was_killed_is_tidied_up_after(
    temporary: Path, tmp_path: Path
) -> None:
    with chromium(*browser_arguments(None)) as browser:
        with server_in(temporary, tmp_path / "a" / "log.txt") as server:
            read_sample(browser, server)
            os.kill(server.pid, signal.SIGKILL)
        [left] = visits(temporary)
        fresh, linked = temporary / "fer-visit-fresh", temporary / "fer-visit-link"
        fresh.mkdir()
        linked.symlink_to(tmp_path)
        for old in (left, linked):
            os.utime(old, (0, 0), follow_symlinks=False)
        with server_in(temporary, tmp_path / "b" / "log.txt") as server:
            page = read_sample(browser, server)
            assert left not in visits(temporary)
            assert fresh.exists() and (tmp_path / "b").exists()
            page.get_by_role("link", name="Video").click()
            page.get_by_role("button", name="Use the sample").click()
            page.get_by_role("button", name="Read the film").click()
            page.get_by_role("button", name="Cancel").wait_for()  # and the server ends meanwhile
        linked.unlink()
        assert visits(temporary) == [fresh]

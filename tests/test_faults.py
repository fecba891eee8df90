"""What breaks around the program, where no module's own test is the place for it.

The camera that vanishes is in test_camera_app, test_playback, test_flask_app,
test_processor and test_page_faults; damaged films and pictures in test_media,
test_cli_media and test_photo_page; the full disk in test_recording, test_rows,
test_score, test_capture and test_page_faults; SIGTERM in test_camera_app,
test_cli_media and test_page_faults; a viewer who vanishes in test_viewers and
test_streamlit_app; the model's files in test_classification.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer import ExpressionPipeline
from fer.annotation import ExpressionAnnotator
from tests.browser import chromium, open_page
from tests.command_line import ROOT
from tests.streamlit_server import running_page
from tests.synthetic import Face, FaceVideo
from tests.waiting import PATIENCE_S, wait_for

SIDE = 60_000  # pixels, that a file only claims to have
MOST_MB = 20


@pytest.mark.parametrize("first", [(640, 480), (480, 640), (64, 48)])
def test_a_camera_that_is_turned_round_goes_on(first: tuple[int, int]) -> None:
    pipeline = ExpressionPipeline()
    annotator = ExpressionAnnotator(first[1])
    for turn, size in enumerate((first, first[::-1], first)):
        face = Face(center=(size[0] / 2, size[1] / 2), sway=(20, 10), side=min(size) / 3)
        for frame, _, time_s in FaceVideo((face,), seconds=1, fps=10, size=size):
            detections = pipeline(frame, turn + time_s)
            assert annotator.annotate(frame, detections).shape == frame.shape
        found = detections.xyxy
        assert len(found) == (min(size) > 100), "a face of 16 pixels is too small"
        assert (found[:, 2:] <= np.array(size) * 1.1).all()


def test_pipelines_of_eight_threads_do_not_disturb_each_other() -> None:
    films = [
        list(FaceVideo((Face(side=100 + 10 * seed),), seconds=1, fps=5, seed=seed))
        for seed in range(8)
    ]

    def read(film: list) -> list:
        pipeline = ExpressionPipeline()
        return [pipeline(frame, time_s).data["scores"].tolist() for frame, _, time_s in film]

    alone = [read(film) for film in films]
    with ThreadPoolExecutor(len(films)) as threads:
        together = list(threads.map(read, films))
    assert together == alone and any(scores for film in alone for scores in film)


def test_a_pipeline_may_go_from_thread_to_thread() -> None:
    film = list(FaceVideo(seconds=1, fps=5))
    here, wanders = ExpressionPipeline(), ExpressionPipeline()
    for frame, _, time_s in film:
        with ThreadPoolExecutor(1) as thread:
            there = thread.submit(wanders, frame, time_s).result()
        assert there.data["scores"].tolist() == here(frame, time_s).data["scores"].tolist()


def png(data: bytes) -> bytes:
    header = b"IHDR" + struct.pack(">II", SIDE, SIDE) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def jpeg(data: bytes) -> bytes:
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", SIDE, SIDE) + data[place + 4 :]


def tiff(data: bytes) -> bytes:
    for tag in (256, 257):
        place = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data = data[:place] + struct.pack("<I", SIDE) + data[place + 4 :]
    return data


CLAIMS: dict[str, Callable[[bytes], bytes]] = {
    "png": png,
    "jpg": jpeg,
    "tif": tiff,
    "gif": lambda data: data[:6] + struct.pack("<HH", SIDE, SIDE) + data[10:],
    "bmp": lambda data: data[:18] + struct.pack("<ii", SIDE, SIDE) + data[26:],
}

REFUSE = """
import json, resource
from fer.errors import SourceError
from fer.media import FileSource
from fer.pictures import read_picture
from pathlib import Path

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

for read in (read_picture, lambda path: list(FileSource(str(path)))):
    for path in Path().glob("small.*"):  # what is loaded for each format
        read(path)
    for path in sorted(Path().glob("claims.*")):
        before = peak_mb()
        try:
            read(path)
            error = "read!"
        except SourceError as refused:
            error = str(refused)
        print(json.dumps([path.suffix[1:], error, peak_mb() - before]))
"""


def test_a_picture_that_claims_60000_by_60000_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path,
) -> None:
    for suffix, claim in CLAIMS.items():
        Image.new("RGB", (64, 48)).save(tmp_path / f"small.{suffix}")
        claims = claim((tmp_path / f"small.{suffix}").read_bytes())
        (tmp_path / f"claims.{suffix}").write_bytes(claims)
    done = subprocess.run(
        [sys.executable, "-c", REFUSE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(suffix for suffix, *_ in said) == sorted([*CLAIMS] * 2)
    for suffix, error, grown_mb in said:
        assert error != "read!" and grown_mb < MOST_MB, (suffix, error)
    assert all("too large" in error for _, error, *_ in said[: len(CLAIMS)])


def test_a_page_whose_port_is_taken_says_so_and_ends(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        command += [f"--server.port={port}", "--server.headless=true"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and str(port) in said and "Traceback" not in said, said


@pytest.mark.browser
def test_a_page_that_is_ended_while_it_reads_a_film_ends_soon_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with running_page(tmp_path / "log.txt") as server:
        with chromium() as browser:
            page = open_page(browser, f"{server.url}/video")
            page.get_by_role("button", name="Use the sample").click()
            page.get_by_role("button", name="Read the film").click()
            wait_for(lambda: [*server.temporary.glob("*/film-read.partial.mp4")], "the film")
            assert server.end() == 0
    assert not [*server.temporary.iterdir()]
    assert "Traceback" not in server.log.read_text()

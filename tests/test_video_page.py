"""The video page: in a real Chromium with real films, and its parts without one."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from fer import EXPRESSIONS, SourceError
from fer.films import FilmTask
from fer.recording import open_again
from fer.rows import COLUMNS, read_rows
from fer.sample import SAMPLE_VIDEO
from fer.web import video
from fer.web.limits import check_film
from fer.web.uploads import plain
from fer.web.work import FilmWork
from tests.browser import PHONE, chromium, fetch, open_page, upload
from tests.films import even_times, heard, write_film, write_long_film
from tests.streamlit_server import Server, browser_arguments
from tests.waiting import wait_for

FPS = 10
LONG_S, LONG_FPS = 590, 30  # takes far longer to read than a test
MOMENT = "document.querySelector('video').currentTime"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of six seconds with a face and a tone, and one that takes long to read."""
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "short.mp4", even_times(6, FPS))
    write_long_film(folder / "long.mp4", LONG_S, LONG_FPS)
    return folder


def send(page: Any, path: Path) -> None:
    upload(page, path)
    page.get_by_role("heading", name=path.name).wait_for()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name).click()


def decode(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def painted(picture: np.ndarray) -> int:
    """How many pixels have nearly the colour of an expression, the label's ground."""
    colors = [[int(e.color[i : i + 2], 16) for i in (5, 3, 1)] for e in EXPRESSIONS]
    return max((np.abs(picture.astype(int) - color).max(axis=2) < 20).sum() for color in colors)


@pytest.mark.browser
@pytest.mark.slow
def test_a_film_comes_back_annotated_with_its_sound_and_a_timeline_that_follows_it(
    server: Server, films: Path, tmp_path: Path
) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/video")
        name = "../../secret\n'\".mp4"
        upload(page, {"name": name, "mimeType": "video/mp4", "buffer": b"hello"})
        page.get_by_text("cannot be read as a video").wait_for()
        send(page, films / "short.mp4")
        page.get_by_text("0:06 of video", exact=True).wait_for()
        press(page, "Read the film")
        page.wait_for_function("document.querySelector('video')?.readyState >= 2")

        # The line on the timeline goes with the film, and the film with the line.
        slider, words = page.locator(".fer-film input"), page.locator(".fer-film")
        words.get_by_text("0:00: happy").wait_for()
        page.evaluate(f"{MOMENT} = 3")
        page.wait_for_function("document.querySelector('.fer-film input').value == 3")
        words.get_by_text("0:03: happy").wait_for()
        slider.focus()
        page.keyboard.press("Home")
        page.wait_for_function(f"{MOMENT} === 0")
        slider.click()  # in its middle
        page.wait_for_function(f"Math.abs({MOMENT} - 3) < 0.3")

        copy = fetch(page, "film.mp4", tmp_path)
        frames = decode(copy)
        assert len(frames) == 6 * FPS and painted(frames[-1]) > 500
        assert heard(copy)[1] == pytest.approx(6, abs=0.1)
        rows = list(read_rows(fetch(page, "film.csv", tmp_path)))
        assert list(rows[0]) == list(COLUMNS) and len(rows) == 6 * FPS
        assert {row["source"] for row in rows} == {"short.mp4"}

        page.set_viewport_size(PHONE)
        page.wait_for_function("document.documentElement.scrollWidth === innerWidth")
        press(page, "Another film")
        page.locator("input[type=file]").wait_for(state="attached")
    log = server.log.read_text()
    assert "secret" not in log and "short.mp4" not in log, "names are the visitors' own"
    assert not [*server.temporary.parent.rglob("*secret*")]


@pytest.mark.browser
@pytest.mark.slow
def test_work_goes_on_while_other_pages_are_seen_others_wait_and_cancel_keeps_what_was_read(
    server: Server, films: Path, tmp_path: Path
) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/video")
        send(page, films / "long.mp4")
        press(page, "Read the film")
        page.get_by_text("left").wait_for()
        other = open_page(browser, f"{server.url}/video")
        send(other, films / "short.mp4")
        press(other, "Read the film")
        other.get_by_text("Waiting: 1 film").wait_for()

        page.get_by_role("link", name="Photo").click()
        page.get_by_text("Sample", exact=True).wait_for()
        page.get_by_role("link", name="Video").click()
        press(page, "Cancel")
        page.get_by_text("Cancelled: ").wait_for()
        frames = decode(fetch(page, "film.mp4", tmp_path))
        rows = list(read_rows(fetch(page, "film.csv", tmp_path)))
        assert 0 < len(rows) == len(frames) < LONG_S * LONG_FPS
        other.locator("video").wait_for()  # whose turn it is now


# Without a browser


@pytest.fixture
def work() -> Iterator[Callable[..., FilmWork]]:
    begun: list[FilmWork] = []

    def begin(folder: Path, film: Path, length_s: float, name: str) -> FilmWork:
        task = FilmTask(str(film), folder / f"{name}.mp4", folder / f"{name}.csv")
        begun.append(FilmWork(task, length_s))
        return begun[-1]

    yield begin
    for film in begun:
        film.cancel()


def test_films_take_turns_and_one_that_waits_can_be_cancelled(
    work: Callable[..., FilmWork], films: Path, tmp_path: Path
) -> None:
    first = work(tmp_path, films / "long.mp4", LONG_S, "first")
    second = work(tmp_path, films / "short.mp4", 6, "second")
    third = work(tmp_path, films / "short.mp4", 6, "third")
    wait_for(lambda: first.left_s is not None, "a forecast")
    assert (first.waits_for, second.waits_for, third.waits_for) == (0, 1, 2)
    second.cancel()
    assert second.done and second.summary.frames == 0 and third.waits_for == 1
    first.cancel()
    assert first.done and 0 < first.share < 1 and not first.fault
    wait_for(lambda: third.done, "the third film")
    assert third.share > 0.9 and third.summary.frames == 6 * FPS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first.csv", "first.mp4", "third.csv", "third.mp4",
    ]  # fmt: skip
    assert not [thread for thread in threading.enumerate() if thread.name == "film"]


def test_a_film_that_breaks_off_says_so_and_keeps_what_was_read(
    work: Callable[..., FilmWork], tmp_path: Path
) -> None:
    whole = write_film(tmp_path / "a.mkv", even_times(4, FPS), sound=None).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 7 // 10])
    cut = work(tmp_path, tmp_path / "cut.mkv", 4, "copy")
    wait_for(lambda: cut.done, "the film")
    assert "only in part" in cut.fault and cut.summary.frames > FPS
    assert (tmp_path / "copy.mp4").exists()


def write_no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


def write_sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])


def write_large(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 4096, 2160, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame(4096, 2160, "yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


LISTS = {
    ".m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.ts\n#EXT-X-ENDLIST\n",
    ".ffconcat": "ffconcat version 1.0\nfile other.ts\n",
}


def write_list(path: Path) -> None:
    """A file of text that names another of its folder, which FFmpeg would open."""
    write_film(path.with_name("other.ts"), even_times(2, FPS), sound=None)
    path.write_text(LISTS[path.suffix])
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 2 * FPS


def write_cut(path: Path) -> None:
    path.write_bytes(SAMPLE_VIDEO.read_bytes()[:100_000])


BAD = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "cannot be read as a video"),
    "text.mp4": (lambda path: path.write_text("hello\n"), "cannot be read as a video"),
    "list.m3u8": (write_list, "cannot be read as a video"),
    "list.ffconcat": (write_list, "cannot be read as a video"),
    "sound.mp4": (write_sound_only, "holds no video"),
    "large.mp4": (write_large, "4096 × 2160"),
    "long.mp4": (
        lambda path: write_film(path, [0, 300, 602], sound=None),
        "lasts 10:0.; expected 10:00 at most",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_film_or_too_much_of_one_is_refused_before_it_is_read(
    tmp_path: Path, name: str
) -> None:
    write, words = BAD[name]
    write(tmp_path / name)
    with pytest.raises(SourceError, match=words) as refused:
        check_film(tmp_path / name, "the film")
    assert str(refused.value).startswith("the film ") and str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat"])
def test_a_list_that_took_the_place_of_a_checked_film_opens_nothing(
    name: str, tmp_path: Path
) -> None:
    page = begin("a.mp4", SAMPLE_VIDEO.read_bytes())
    film = page.session_state["film"]
    write_list(tmp_path / name)
    page.session_state["film"] = replace(film, path=tmp_path / name)
    page = read(page.run())
    assert page.error[0].value.startswith(plain("a.mp4 cannot be read as a video"))
    assert page.session_state["film_work"].summary.frames == 0
    assert open_again(str(tmp_path / "other.ts")) and not open_again(str(tmp_path / name), "mov")


def test_a_film_lying_on_its_side_may_be_as_large(tmp_path: Path) -> None:
    picture = cv2.resize(np.zeros((4, 4, 3), np.uint8), (1080, 1920))
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1080, 1920, "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert check_film(tmp_path / "a.mp4", "a").length_s == pytest.approx(0.1, abs=0.05)


def video_page() -> None:
    from fer.web import video

    video.show()


def begin(name: str, content: bytes) -> AppTest:
    page = AppTest.from_function(video_page, default_timeout=60).run()
    page.file_uploader[0].upload(name, content)
    page.run()
    assert not page.exception
    return page


def by_label(page: AppTest, label: str) -> Any:
    return next(button for button in page.button if button.label == label)


def read(page: AppTest) -> AppTest:
    by_label(page, "Read the film").click().run()
    wait_for(lambda: page.session_state["film_work"].done, "the film")
    page.run()
    assert not page.exception
    return page


def test_the_page_says_how_large_a_film_may_be() -> None:
    usual = config.get_option("server.maxUploadSize")
    config.set_option("server.maxUploadSize", 123)
    try:
        page = AppTest.from_function(video_page, default_timeout=60).run()
    finally:
        config.set_option("server.maxUploadSize", usual)
    assert page.caption[0].value == "Up to 10 minutes, 1920 × 1080 pixels and 123 MB."


def test_a_refused_film_leaves_no_file_and_the_next_may_come() -> None:
    page = begin("*a*.mp4", b"hello")
    [error] = page.error
    assert error.value.startswith(plain("*a*.mp4 cannot be read as a video"))
    assert list(page.session_state["visit"].folder.iterdir()) == []
    page.file_uploader[0].upload("b.mp4", SAMPLE_VIDEO.read_bytes())
    page.run()
    assert not page.error and [heading.value for heading in page.subheader] == [r"b\.mp4"]


@pytest.mark.parametrize(
    "name", ["../../secret", "/etc/secret", "..\\secret", "'\"; $(secret)", "a\nb\r\x1b[2Jsecret"]
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut"])
def test_the_name_of_an_upload_is_shown_and_reaches_no_path_and_no_log(
    name: str, whole: bool, films: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fer")
    content = (films / "short.mp4").read_bytes()
    page = begin(f"{name}.mp4", content if whole else content[:9000])
    folder = page.session_state["visit"].folder
    if whole:
        page = read(page)
        assert [heading.value for heading in page.subheader] == [plain(f"{name}.mp4")]
        assert {path.name for path in folder.iterdir()} == {
            "film",
            "film-read.mp4",
            "film-read.csv",
        }
    else:
        assert page.error[0].value.startswith(plain(f"{name}.mp4"))
        assert not [*folder.iterdir()]
    assert "secret" not in caplog.text


@pytest.mark.parametrize("write", [write_no_frames, write_cut], ids=["no frames", "cut"])
def test_a_film_without_pictures_is_an_error_in_the_visitors_words(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "a.mp4")
    page = begin("holiday.mp4", (tmp_path / "a.mp4").read_bytes())
    if not page.error:
        page = read(page)
    [error] = page.error
    assert error.value.startswith(("holiday", "No picture of holiday")), error.value
    assert "/" not in error.value


def test_pictures_that_become_too_large_amid_a_film_are_not_decoded(tmp_path: Path) -> None:
    write_film(tmp_path / "small.ts", even_times(2, FPS), sound=None)
    write_large(tmp_path / "large.ts")
    parts = [(tmp_path / name).read_bytes() for name in ("small.ts", "large.ts")]
    page = read(begin("a.ts", b"".join(parts)))
    assert page.warning[0].value.startswith(plain("a.ts could be read only in part"))
    assert page.session_state["film_work"].summary.frames == 2 * FPS


def test_another_film_deletes_the_files_of_the_last(films: Path) -> None:
    page = read(begin("a.mp4", (films / "short.mp4").read_bytes()))
    folder = page.session_state["visit"].folder
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["film", "film-read.csv", "film-read.mp4"]
    by_label(page, "Read it again").click().run()
    assert by_label(page, "Read the film")
    by_label(page, "Another film").click().run()
    assert page.file_uploader and list(folder.iterdir()) == []


def test_a_film_is_given_up_with_the_visit(films: Path) -> None:
    page = begin("long.mp4", (films / "long.mp4").read_bytes())
    by_label(page, "Read the film").click().run()
    work, visit = page.session_state["film_work"], page.session_state["visit"]
    assert not work.done
    visit.end()
    assert work.done and work.cancelled
    assert not visit.folder.exists()


def test_a_film_of_unknown_length_ends_at_the_limit(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MAX_MINUTES", 0.05)
    with av.open(str(tmp_path / "a.webm"), "w", options={"live": "1"}) as live:
        stream = live.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in decode(films / "short.mp4"):
            live.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        live.mux(stream.encode(None))
    page = begin("a.webm", (tmp_path / "a.webm").read_bytes())
    assert page.session_state["film"].length_s is None
    page = read(page)
    assert "as far as the limit" in page.info[0].value
    assert page.session_state["film_work"].summary.frames == pytest.approx(3 * FPS, abs=1)

"""The photo page: in a real Chromium with real files, and its parts without one."""

import io
import struct
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from streamlit import config
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime import media_file_manager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.testing.v1 import AppTest

from fer import EXPRESSIONS
from fer.annotation import FaceView
from fer.card import load_card, sha256
from fer.classification import resolve_model
from fer.rows import COLUMNS, read_rows
from fer.sample import SAMPLE_PHOTOS
from fer.web import look, uploads
from fer.web.photo import MAX_PHOTOS, NO_FACE
from fer.web.uploads import plain
from fer.web.visit import LastFace
from tests.browser import PHONE, chromium, fetch, open_page, upload
from tests.streamlit_server import Server, browser_arguments
from tests.synthetic import FACE_BOXES, portrait

UGLY = "**bold** [x](http:x) $y$ :red[z] <b>é.jpg"


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


def claim(side: int) -> bytes:
    """A PNG of a few bytes that claims to be a large square."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(999)))]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def turned() -> bytes:
    """The astronaut lying on her side, with EXIF data that say how to turn her upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = np.rot90(portrait("astronaut")[..., ::-1], 1).copy()
    return encoded(Image.fromarray(sideways), "JPEG", exif=exif)


def photograph() -> Image.Image:
    return Image.fromarray(portrait("astronaut")[..., ::-1].copy())


def smoothness(picture: np.ndarray, name: str) -> float:
    """How little there is to see in a face: near 0 in a photograph, near 1 where it is hidden."""
    x1, y1, x2, y2 = FACE_BOXES[name]
    face = cv2.cvtColor(picture[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    return float((np.abs(cv2.Laplacian(face, cv2.CV_64F)) < 3).mean())


def files(**contents: bytes) -> list[dict[str, Any]]:
    return [
        {"name": name, "mimeType": "image/jpeg", "buffer": content}
        for name, content in contents.items()
    ]


def decode(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.browser
@pytest.mark.slow
def test_uploaded_photos_come_back_annotated_as_pictures_table_and_archive(
    server: Server, tmp_path: Path
) -> None:
    both = np.hstack([portrait("astronaut"), cv2.resize(portrait("hopper"), (512, 512))])
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/photo")
        upload(
            page,
            files(**{UGLY: jpeg(portrait("astronaut")), "two.png": jpeg(both), "a.jpg": b"hello"}),
        )
        page.get_by_role("heading", name=UGLY, exact=True).wait_for()
        page.get_by_text("a.jpg is no picture").wait_for()
        captions = page.locator(".fer-face caption")
        captions.nth(2).wait_for()
        assert captions.nth(0).inner_text().startswith("happy")
        assert captions.nth(1).inner_text().startswith("Face 1 from the left: happy")
        assert captions.nth(2).inner_text().startswith("Face 2 from the left: ")

        annotated = decode(fetch(page, "photo-1.jpg", tmp_path))
        assert annotated.shape == portrait("astronaut").shape
        happy = EXPRESSIONS[3].color
        color = [int(happy[at : at + 2], 16) for at in (5, 3, 1)]
        assert (np.abs(annotated.astype(int) - color).max(axis=2) < 24).sum() > 500

        rows = list(read_rows(fetch(page, "faces.csv", tmp_path)))
        assert list(rows[0]) == list(COLUMNS)
        assert [row["source"] for row in rows] == [UGLY, "two.png", "two.png"]
        assert float(rows[1]["x1"]) < float(rows[2]["x1"])

        blur(page)
        with zipfile.ZipFile(fetch(page, "photos.zip", tmp_path)) as archive:
            assert archive.namelist() == ["photo-1.jpg", "photo-2.jpg"]
            blurred = decode(Path(archive.extract("photo-1.jpg", tmp_path / "archive")))
        assert smoothness(blurred, "astronaut") > 2 * smoothness(annotated, "astronaut")


def blur(page: Any) -> None:
    """Ask for blurred faces, and wait until they are shown."""
    shown = page.get_by_test_id("stImage").locator("img").first
    before = shown.get_attribute("src")
    page.get_by_text("Blurred", exact=True).click()
    page.wait_for_function(
        "([image, before]) => image.getAttribute('src') !== before",
        arg=[shown.element_handle(), before],
    )


@pytest.mark.browser
def test_on_a_phone_photos_stay_until_they_are_cleared(server: Server) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/photo", viewport=PHONE)
        upload(page, files(**{"one.jpg": turned()}))
        heading = page.get_by_role("heading", name="one.jpg")
        heading.wait_for()
        page.wait_for_function("document.documentElement.scrollWidth === innerWidth")
        page.get_by_role("link", name="Video").click()
        page.get_by_text("10 minutes").wait_for()
        page.get_by_role("link", name="Photo").click()
        heading.wait_for()
        page.get_by_role("button", name="Clear").click()
        heading.wait_for(state="hidden")
        page.get_by_test_id("stImage").first.wait_for(state="detached")


@pytest.mark.browser
@pytest.mark.slow
def test_a_photo_is_taken_with_the_camera(server: Server, camera: Path, tmp_path: Path) -> None:
    with chromium(*browser_arguments(camera)) as browser:
        page = open_page(browser, f"{server.url}/photo")
        page.get_by_text("Camera", exact=True).click()
        # Streamlit offers the button before there is a picture, and then it does nothing.
        page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
        page.get_by_role("button", name="Take Photo").click()
        page.locator(".fer-face caption", has_text="happy").wait_for()
        assert min(decode(fetch(page, "photo-1.jpg", tmp_path)).shape[:2]) >= 480


# Without a browser


def photo_page(model: str | None = None) -> None:
    from fer.web import photo

    photo.show(model)


def read(*uploads: tuple[str, bytes]) -> AppTest:
    page = AppTest.from_function(photo_page, default_timeout=60).run()
    for name, content in uploads:
        page.file_uploader[0].upload(name, content)
    page.run()
    assert not page.exception
    return page


BAD = {
    "empty.jpg": (b"", "no picture"),
    "text.jpg": (b"hello\n", "no picture"),
    "cut.jpg": (jpeg(portrait("astronaut"))[:5000], "cannot be read"),
    "claim.png": (claim(60_000), "too large"),
    "pixels.png": (claim(8_000), "50 million pixels at most"),
    "strip.png": (encoded(Image.new("L", (40_000, 1)), "PNG"), "30,000 pixels at most"),
    "heavy.jpg": (jpeg(portrait("astronaut")) + bytes(21 * 2**20), "20 MB at most"),
}


def test_bad_files_are_refused_in_a_sentence_each_and_do_not_spoil_the_others() -> None:
    page = read(*((name, content) for name, (content, _) in BAD.items()), ("ok.jpg", turned()))
    assert len(page.error) == len(BAD)
    for error, (name, (_, words)) in zip(page.error, BAD.items(), strict=True):
        assert error.value.startswith(plain(name)) and plain(words) in error.value
    assert [heading.value for heading in page.subheader] == [r"ok\.jpg"]
    [photo] = page.session_state["photos"]
    assert photo.detections.data["class_name"].tolist() == ["happy"]
    kept = sorted(path.name for path in page.session_state["visit"].folder.iterdir())
    assert kept == ["photo-8", "photo-8-plain-0.jpg"]


@pytest.mark.parametrize(
    "name", ["../../up.jpg", "/etc/up.jpg", "..\\up.jpg", "a\nb.jpg", "é" * 400]
)
def test_the_name_of_an_upload_is_shown_and_reaches_no_path(name: str) -> None:
    page = read((f"{name}.jpg", turned()))
    [photo] = page.session_state["photos"]
    folder = page.session_state["visit"].folder
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["photo-1", "photo-1-plain-0.jpg"] and photo.path.parent == folder


KINDS = {
    "animated.gif": encoded(
        photograph(), "GIF", save_all=True, append_images=[photograph().rotate(90)]
    ),
    "cmyk.jpg": encoded(photograph().convert("CMYK"), "JPEG"),
    "deep.png": cv2.imencode(".png", portrait("astronaut").astype(np.uint16) * 257)[1].tobytes(),
    "turned.jpg": turned(),
    "clear.png": encoded(photograph().convert("RGBA"), "PNG"),
    "grey.jpg": encoded(photograph().convert("L"), "JPEG"),
}


def test_every_kind_of_picture_is_read() -> None:
    page = read(*KINDS.items())
    assert not page.error
    shown = [photo.detections.data["class_name"].tolist() for photo in page.session_state["photos"]]
    assert shown == [["happy"]] * len(KINDS)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_of_one_pixel_is_one_without_a_face(mode: str) -> None:
    page = read(("dot.png", encoded(Image.new(mode, (1, 1)), "PNG")))
    assert not page.error
    assert [info.value for info in page.info] == [NO_FACE]
    [photo] = page.session_state["photos"]
    with Image.open(photo.path) as kept:
        assert kept.size == (1, 1)


def test_only_so_many_photos_are_taken() -> None:
    page = read(*((f"{number}.jpg", turned()) for number in range(MAX_PHOTOS + 2)))
    assert len(page.session_state["photos"]) == MAX_PHOTOS
    assert [error.value.split(" ")[0] for error in page.error] == [r"10\.jpg", r"11\.jpg"]
    page.button[0].click().run()
    assert not page.subheader and not page.error
    assert list(page.session_state["visit"].folder.iterdir()) == []


def test_a_photo_without_a_face_says_so_and_keeps_the_last_face() -> None:
    page = read(("face.jpg", jpeg(cv2.resize(portrait("astronaut"), (2048, 2048)))))
    face = page.session_state["visit"].last_face
    assert max(face.frame.shape) == 960  # made small enough to be kept
    assert face.box[2:] - face.box[:2] == pytest.approx(960 / 2.5, abs=1)
    page.file_uploader[0].upload("grey.jpg", jpeg(np.full((99, 99, 3), 99, np.uint8)))
    page.run()
    assert [info.value for info in page.info] == [NO_FACE]
    assert page.session_state["visit"].last_face is face


def test_a_hidden_face_is_not_kept_for_the_page_that_explains() -> None:
    page = read(("face.jpg", turned()))
    assert page.session_state["visit"].last_face
    assert look.HIDDEN not in [caption.value for caption in page.caption]
    page.segmented_control[1].set_value(FaceView.BLUR).run()
    assert page.session_state["visit"].last_face is None
    assert look.HIDDEN in [caption.value for caption in page.caption]


def test_a_face_that_is_to_be_hidden_is_not_even_kept_until_it_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(LastFace, "of", lambda *photograph: kept.append(photograph))
    page = AppTest.from_function(photo_page, default_timeout=60)
    page.session_state["view_faces"] = FaceView.INSTEAD
    page.session_state["photos_from"] = "Sample"
    page.run().button[0].click().run()
    assert len(page.subheader) == len(SAMPLE_PHOTOS)
    assert not kept and page.session_state["visit"].last_face is None


def test_the_heat_map_is_not_offered_where_the_network_has_none(tmp_path: Path) -> None:
    shipped = resolve_model()
    network = shipped.read_bytes().replace(b"attention", b"something")
    (tmp_path / shipped.name).write_bytes(network)
    digest = {shipped.name: sha256(tmp_path / shipped.name)}
    replace(load_card(shipped.parent), sha256=digest).save(tmp_path)
    for model, possible in ((shipped, True), (tmp_path, False)):
        page = AppTest.from_function(photo_page, default_timeout=60, args=(str(model),))
        page.session_state["photos_from"] = "Sample"
        page.run().button[0].click().run()
        assert not page.exception
        assert page.toggle[0].disabled is not possible
        assert page.toggle[0].help == (look.ATTENTION if possible else look.NO_ATTENTION)


def test_the_sample_is_read_without_an_upload() -> None:
    page = AppTest.from_function(photo_page, default_timeout=60)
    page.session_state["photos_from"] = "Sample"
    page.run().button[0].click().run()
    assert not page.exception
    names = [plain(path.name) for path in SAMPLE_PHOTOS]
    assert [heading.value for heading in page.subheader] == names
    assert all(path.exists() for path in SAMPLE_PHOTOS)


# What waits in the server's memory


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryUploadedFileManager]:
    """Streamlit's memory for files of a megabyte at most, and a script of the visitor "a"."""
    usual = config.get_option("server.maxUploadSize")
    config.set_option("server.maxUploadSize", 1)
    monkeypatch.setattr(  # to be put back
        MemoryUploadedFileManager, "add_file", MemoryUploadedFileManager.add_file
    )
    monkeypatch.setattr(
        media_file_manager, "MediaFileMetadata", media_file_manager.MediaFileMetadata
    )
    uploads.take_over()
    manager = MemoryUploadedFileManager("/upload")
    context = SimpleNamespace(session_id="a", uploaded_file_mgr=manager)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)
    yield manager
    config.set_option("server.maxUploadSize", usual)


def sent(size: int) -> UploadedFileRec:
    return UploadedFileRec(str(uuid.uuid4()), "a.jpg", "image/jpeg", bytes(size))


def test_a_visitors_files_wait_until_they_are_as_large_as_one_may_be(
    waiting: MemoryUploadedFileManager, tmp_path: Path
) -> None:
    first, second = sent(2**19), sent(2**19)
    waiting.add_file("a", first)
    waiting.add_file("a", second)
    with pytest.raises(HTTPException) as refused:
        waiting.add_file("a", sent(1))
    assert refused.value.status_code == 413
    assert uploads.left_out().startswith("1 file was left out: expected 1 MB at most")
    assert not uploads.left_out(), "said twice"
    uploads.take(UploadedFile(first, FileURLs()), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == first.data
    assert waiting.get_files("a", [first.file_id, second.file_id]) == [second]
    waiting.add_file("a", sent(2**19))


def test_all_visitors_together_fill_only_so_much_of_the_memory(
    waiting: MemoryUploadedFileManager,
) -> None:
    for session in "bcde":
        waiting.add_file(session, sent(2**20))
    with pytest.raises(HTTPException):
        waiting.add_file("f", sent(1))
    waiting.remove_session_files("b")  # as when a visit ends
    waiting.add_file("f", sent(1))


def test_what_was_sent_to_a_page_that_was_left_waits_no_longer(
    waiting: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr(uploads.st, "session_state", state)

    def widget(label: str, key: str) -> None:
        state[key] = None

    waiting.add_file("a", sent(1))
    uploads.asked_for(widget, "A file")
    assert not waiting.file_storage.get("a")
    waiting.add_file("a", sent(1))
    uploads.asked_for(widget, "A file")  # the page still stands
    assert waiting.file_storage["a"]


@pytest.mark.usefixtures("waiting")
def test_what_was_made_for_a_download_stays_while_other_visitors_pages_run_and_then_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = media_file_manager.MediaFileManager(MemoryMediaFileStorage("/media"))
    button = manager.add_deferred(lambda: b"rows", "text/csv", "place", "faces.csv")
    name = manager.execute_deferred(button).rpartition("/")[2]
    for _ in range(3):
        manager.remove_orphaned_files()  # as at the end of each run, whosever it is
    assert manager.read_file(name).content == b"rows"
    later_s = time.monotonic() + 100
    monkeypatch.setattr(uploads.time, "monotonic", lambda: later_s)
    manager.remove_orphaned_files()
    assert manager.read_file(name) is None

"""What is kept of files that visitors sent, and were too much, from page to page."""

from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException
from streamlit import config
from streamlit.runtime import media_file_manager
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from fer.web import uploads

SESSION = "test session id"  # as Streamlit calls that of its tests


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryUploadedFileManager]:
    """Streamlit's memory for files of a megabyte at most."""
    usual = config.get_option("server.maxUploadSize")
    config.set_option("server.maxUploadSize", 1)
    for name in ("add_file", "remove_session_files"):  # to be put back
        own = getattr(MemoryUploadedFileManager, name)
        monkeypatch.setattr(MemoryUploadedFileManager, name, own)
    own = media_file_manager.MediaFileMetadata
    monkeypatch.setattr(media_file_manager, "MediaFileMetadata", own)
    uploads.take_over()
    yield MemoryUploadedFileManager("/upload")
    config.set_option("server.maxUploadSize", usual)


def send_too_much(waiting: MemoryUploadedFileManager, session: str) -> None:
    with pytest.raises(HTTPException):
        waiting.add_file(session, UploadedFileRec("id", "a.jpg", "image/jpeg", bytes(2**20 + 1)))


def two_pages() -> None:
    import streamlit as st

    from fer.web.uploads import asked_for, left_out

    def films() -> None:
        asked_for(st.file_uploader, "A film")

    def photos() -> None:
        asked_for(st.file_uploader, "Photos")
        if st.button("What was left out?"):
            st.text(left_out())

    st.navigation([st.Page(photos), st.Page(films)]).run()


def said(page: AppTest) -> str:
    return str(page.button[0].click().run().text[0].value)


def test_what_was_refused_is_told_on_its_page_and_on_no_other(
    waiting: MemoryUploadedFileManager,
) -> None:
    page = AppTest.from_function(two_pages, default_timeout=60).run()
    send_too_much(waiting, SESSION)
    page.run()
    assert said(page).startswith("1 file was left out")
    page._page_hash = calc_hash("films")
    page.run()
    send_too_much(waiting, SESSION)
    page._page_hash = calc_hash("photos")
    page.run()
    assert said(page) == ""


def test_nothing_is_kept_of_a_session_that_ended(waiting: MemoryUploadedFileManager) -> None:
    send_too_much(waiting, "a")
    assert uploads._refused["a"] == 1
    waiting.remove_session_files("a")  # as Streamlit does then
    assert "a" not in uploads._refused

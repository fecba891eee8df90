"""Films at the limits of what can be read and written here."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from fer.sample import SAMPLE_VIDEO
from fer.web.limits import check_film
from tests.disks import small_files
from tests.films import even_times, set_length, write_film
from tests.waiting import wait_for


def test_a_length_below_zero_is_none(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", even_times(1, 10), sound=None)
    assert check_film(film, "a").length_s == 1
    set_length(film, -5)
    assert check_film(film, "a").length_s is None


def video_page() -> None:
    from fer.web import video

    video.show()


def test_a_full_disk_is_told_of_the_file_that_found_no_room() -> None:
    page = AppTest.from_function(video_page, default_timeout=60).run()
    page.file_uploader[0].upload("holiday.mov", SAMPLE_VIDEO.read_bytes())
    page.run()
    with small_files(10):
        page.button[0].click().run()
        wait_for(lambda: page.session_state["film_work"].done, "the film")
    page.run()
    assert page.warning[0].value.startswith("The film could be written only in part")

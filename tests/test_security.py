"""What a stranger can make the page do: nothing but what it offers."""

import tomllib
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from tests.browser import chromium, open_page
from tests.streamlit_server import ROOT, Server, browser_arguments
from tests.waiting import PATIENCE_S

STRANGER = "https://stranger.example"
ASKED = {"model": "/etc/passwd", "source": "http://stranger.example/", "page": "../../etc/passwd"}


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """The status and text of an answer; unlike a browser this tidies no path up."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE_S)
    try:
        connection.request(method, path, b"x" if method == "PUT" else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def test_a_file_is_taken_from_the_page_itself_only(server: Server) -> None:
    for origin in (STRANGER, server.url):  # one that lacks the page's token
        status, text = ask(server, "/_stcore/upload_file/session/file", "PUT", Origin=origin)
        assert (status, text) == (403, "XSRF token missing or invalid")


def test_the_shipped_settings_tell_nobody_anything() -> None:
    shipped = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert shipped["browser"]["gatherUsageStats"] is False
    assert shipped["browser"]["serverAddress"], "or a web service is asked for it"
    assert shipped["server"]["enableXsrfProtection"] is True
    assert shipped["server"]["enableStaticServing"] is False
    assert shipped["server"]["maxUploadSize"] == 200, "megabytes; a visitor's files wait in memory"
    assert shipped["server"]["showEmailPrompt"] is False
    assert shipped["client"]["showErrorDetails"] == "none"


def test_another_site_may_not_speak_to_the_page(server: Server) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert ask(server, "/_stcore/stream", Origin=STRANGER, **upgrade)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/requirements.txt",
        "/app/static/requirements.txt",
        "/..%2frequirements.txt",
        "/static/../../../../../../etc/passwd",
        "/component/streamlit_webrtc.streamlit_webrtc/../../../../../../../etc/passwd",
        "/media/../../requirements.txt",
    ],
)
def test_no_file_of_the_server_can_be_asked_for(server: Server, path: str) -> None:
    status, text = ask(server, path)
    assert status in (400, 404) or "<title>Streamlit</title>" in text
    assert "--hash" not in text
    assert "root:" not in text


@pytest.mark.browser
def test_a_page_takes_no_path_and_no_address_from_a_visitor(server: Server) -> None:
    whole = {
        "live": "Try the sample",
        "photo": "Sample",
        "video": "Use the sample",
        "how": "Whom the data shows",
    }
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, server.url)
        for path, last in whole.items():
            page.goto(f"{server.url}/{path}?{urlencode(ASKED)}")
            page.get_by_text(last).first.wait_for()
            text = page.inner_text("body")
            assert "passwd" not in text
            assert "stranger.example" not in text
            assert page.locator("input[type=text], input[type=url], textarea").count() == 0


def test_an_error_tells_a_visitor_nothing_of_the_server() -> None:
    test = AppTest.from_string("raise RuntimeError('/a/path/of/the/server')").run()
    [error] = test.exception
    assert "/a/path" not in error.message
    assert not error.stack_trace

"""Which ICE servers browser and server are given, and how a connection that stumbles is taken."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton

from fer import SourceError
from fer.web import advice, connection
from tests.browser import chromium, open_page
from tests.streamlit_server import browser_arguments

TURN = {"urls": ["turn:example.org:3478"], "username": "anna", "credential": "hush"}
# A page with the component's frame alone, whose browser says of a connection what it is told to.
STUMBLING = """async (script) => {
  document.body.innerHTML = `<p><i role="alert"></i></p><iframe title="streamlit_webrtc"></iframe>`;
  const view = document.querySelector("iframe").contentWindow;
  const state = { get() { return this.said; }, configurable: true };
  Object.defineProperty(view.RTCPeerConnection.prototype, "connectionState", state);
  window.begin = () => (window.one = new view.RTCPeerConnection());
  window.seen = (said) => { one.said = said; return one.connectionState; };
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: advise } = await import(url);
  advise({
    parentElement: document.querySelector("p"), data: { advice: {} },
    setStateValue: (name, value) => { window[name] = value; },
  });
  begin();
}"""


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FER_ICE_SERVERS", "FER_SERVER_ICE_SERVERS", "FER_ICE_TRANSPORT_POLICY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[Path]:
    """Where Streamlit looks for secrets."""
    path = tmp_path / "secrets.toml"
    usual = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    secrets_singleton._reset()
    yield path
    secrets_singleton._reset()
    config.set_option("secrets.files", usual)


def test_by_default_nothing_outside_is_asked_for_a_way() -> None:
    assert connection.browser_configuration() == {"iceServers": [], "iceTransportPolicy": "all"}
    assert connection.server_configuration() == {"iceServers": []}


def test_both_ends_are_given_the_servers_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stun = {"urls": "stun:example.org"}
    monkeypatch.setenv("FER_ICE_SERVERS", json.dumps([stun, TURN]))
    expected = [{"urls": ["stun:example.org"]}, TURN]
    assert connection.browser_configuration()["iceServers"] == expected
    assert connection.server_configuration()["iceServers"] == expected


def test_the_server_may_do_without_what_the_browser_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_ICE_SERVERS", json.dumps([TURN]))
    monkeypatch.setenv("FER_SERVER_ICE_SERVERS", "[]")
    monkeypatch.setenv("FER_ICE_TRANSPORT_POLICY", "relay")
    assert connection.browser_configuration() == {
        "iceServers": [TURN],
        "iceTransportPolicy": "relay",
    }
    assert connection.server_configuration() == {"iceServers": []}


def test_the_secrets_may_name_them_as_json(secrets: Path) -> None:
    secrets.write_text(f"FER_ICE_SERVERS = '{json.dumps([TURN])}'\n")
    assert connection.browser_configuration()["iceServers"] == [TURN]


def test_the_secrets_may_name_them_as_tables(secrets: Path) -> None:
    secrets.write_text(
        '[[FER_ICE_SERVERS]]\nurls = ["turn:example.org:3478"]\n'
        'username = "anna"\ncredential = "hush"\n'
    )
    assert connection.browser_configuration()["iceServers"] == [TURN]
    assert json.dumps(connection.browser_configuration()), "it is sent to the browser as JSON"


@pytest.mark.parametrize(
    "text",
    [
        "turn:example.org",
        "{}",
        "{}x",
        "3",
        '["turn:example.org"]',
        "[{}]",
        '[{"urls": "example.org"}]',
        '[{"urls": "turn:hush"}]',
        '[{"urls": "turn:example.org", "username": "anna", "credential": ""}]',
        '[{"urls": 3}]',
    ],
)
def test_servers_that_are_none_are_told_without_being_repeated(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FER_ICE_SERVERS", "FER_SERVER_ICE_SERVERS"):
        monkeypatch.setenv("FER_ICE_SERVERS", "[]")
        monkeypatch.setenv(variable, text)
        with pytest.raises(SourceError, match=f"^{variable} is not understood.*JSON list") as told:
            connection.server_configuration()
        assert "hush" not in str(told.value)
        assert told.value.__cause__ is None and told.value.__suppress_context__


@pytest.mark.parametrize(
    "text",
    [b'FER_ICE_SERVERS = "hush\n', b'FER_ICE_SERVERS = "hush\xff"\n'],
    ids=["quote", "bytes"],
)
def test_damaged_secrets_are_told_without_being_repeated(text: bytes, secrets: Path) -> None:
    secrets.write_bytes(text)
    with pytest.raises(SourceError, match=r"^secrets\.toml cannot be read as TOML") as told:
        connection.browser_configuration()
    assert "hush" not in str(told.value)
    assert told.value.__cause__ is None and told.value.__suppress_context__


def test_without_secrets_there_are_no_servers(secrets: Path) -> None:
    assert not secrets.exists()
    assert connection.browser_configuration()["iceServers"] == []


def test_a_policy_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_ICE_TRANSPORT_POLICY", "turn")
    with pytest.raises(SourceError, match="expected all or relay"):
        connection.browser_configuration()


@pytest.mark.browser
def test_a_connection_that_stumbles_is_not_taken_for_one_that_is_over() -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, "about:blank")
        page.evaluate(STUMBLING, advice._SCRIPT)
        page.wait_for_function("() => seen('disconnected') === 'connecting'")
        assert page.evaluate("seen('connected')") == "connected"
        assert page.evaluate("seen('failed')") == "failed"
        page.wait_for_function("() => window.lost")
        page.evaluate("() => { begin(); seen('new'); }")
        page.wait_for_function("() => window.lost === false")

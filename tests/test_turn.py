"""The stream through a real TURN server, as behind a strict firewall."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser import chromium, open_page, says_happy, start
from tests.streamlit_server import Server, browser_arguments, running_page, write_camera_film
from tests.waiting import PATIENCE_S, wait_for

USER, PASSWORD, WRONG = "visitor", "a-secret-of-the-test", "another-that-is-wrong"
# Keeps the page's connection where it can be asked by which way it goes.
KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""
WAYS = """async () => {
  const ways = [];
  for (const connection of window.connections) {
    const stats = [...(await connection.getStats()).values()];
    const chosen = stats.filter((one) => one.type === "candidate-pair" && one.nominated);
    for (const pair of chosen)
      ways.push(stats.find((one) => one.id === pair.localCandidateId).candidateType);
  }
  return ways;
}"""


@contextmanager
def turn_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Debian's coturn on loopback: its address and its log."""
    program = shutil.which("turnserver")
    if program is None:
        message = "There is no turnserver: apt install coturn."
        pytest.fail(message) if os.environ.get("FER_REQUIRE_ALL") == "1" else pytest.skip(message)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "turn.log"
    command = [program, "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", str(port), "--no-cli"]
    command += ["--lt-cred-mech", "--user", f"{USER}:{PASSWORD}", "--realm", "test", "-v"]
    command += ["--allow-loopback-peers", "--no-tls", "--no-dtls", "--log-file", "stdout"]
    command += ["--pidfile", str(folder / "turn.pid"), "--userdb", str(folder / "turn.db")]
    with open(log, "wb") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(port), "the TURN server")
        yield f"turn:127.0.0.1:{port}", log
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def answers(port: int) -> bool:
    """Whether something listens on a TCP port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def named(address: str, password: str) -> str:
    """What the page's settings say of a TURN server."""
    return json.dumps([{"urls": address, "username": USER, "credential": password}])


@contextmanager
def talkative_page(folder: Path, **environment: str) -> Iterator[Server]:
    """The page, which logs all that it can."""
    environment |= {"FER_LOG_LEVEL": "DEBUG", "STREAMLIT_LOGGER_LEVEL": "debug"}
    (folder / "page").mkdir()
    with running_page(folder / "page" / "log.txt", environment=environment) as page:
        yield page


@pytest.mark.browser
@pytest.mark.slow
def test_the_picture_comes_back_through_a_turn_server_alone(tmp_path: Path) -> None:
    film = write_camera_film(tmp_path / "astronaut.y4m")
    with turn_server(tmp_path) as (address, log):
        environment = {
            "FER_ICE_SERVERS": named(address, PASSWORD),
            "FER_SERVER_ICE_SERVERS": "[]",
            "FER_ICE_TRANSPORT_POLICY": "relay",
        }
        with (
            talkative_page(tmp_path, **environment) as server,
            chromium(*browser_arguments(film)) as browser,
        ):
            page = open_page(browser, server.url, KEEP_CONNECTIONS)
            holder = start(page)
            says_happy(page)
            assert set(holder.evaluate(WAYS)) == {"relay"}
            assert PASSWORD not in page.content()
        assert PASSWORD not in server.log.read_text()
        assert "ALLOCATE processed, success" in log.read_text()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("password", "answer"),
    [(PASSWORD, "ALLOCATE processed, success"), (WRONG, "credentials are incorrect")],
)
def test_the_password_that_the_page_itself_uses_is_in_no_log(
    password: str, answer: str, tmp_path: Path
) -> None:
    film = write_camera_film(tmp_path / "astronaut.y4m")
    with turn_server(tmp_path) as (address, log):
        environment = {
            "FER_ICE_SERVERS": "[]",
            "FER_SERVER_ICE_SERVERS": named(address, password),
        }
        with (
            talkative_page(tmp_path, **environment) as server,
            chromium(*browser_arguments(film)) as browser,
        ):
            start(open_page(browser, server.url))
            wait_for(lambda: answer in log.read_text(), "the TURN server's answer")
        told = server.log.read_text()
        assert "stream began" in told
        assert password not in told
        assert password not in log.read_text()

"""The files for a host of one's own, read by the programs they are for."""

import asyncio
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aioice.turn import create_turn_endpoint

from fer.cli.check import check
from fer.errors import ModelError
from fer.sample import SAMPLE_PHOTOS
from fer.smoothing import ScoreSmoother
from fer.web import connection
from tests.browser import chromium, open_page, says_happy, start, upload
from tests.requirements import missing, require
from tests.streamlit_server import ROOT, Server, answers, browser_arguments, free_port
from tests.waiting import PATIENCE_S, wait_for

DEPLOY = ROOT / "deploy"
NAME = "fer.example.org"
# ProtectSystem=strict and PrivateTmp=yes of the service, for the command that follows the folder,
# which may lie on a mount of its own, or in what becomes the private folder.
LOCK = """
mount --rbind "$1" /mnt && mount -o remount,bind,ro /mnt && mount -o remount,bind,ro / || exit
mount -t tmpfs none /tmp && mount -t tmpfs none /var/tmp || exit
mkdir -p "$1" && mount --rbind /mnt "$1" && cd "$1" && [ ! -w . ] && shift && exec "$@"
"""
KEEP_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def filled_in(name: str, answers: dict[str, str]) -> str:
    """A file of deploy/ with a test's own answers in the places of the example's."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for example, own in answers.items():
        assert example in text, f"{name} says nothing of {example}"
        text = text.replace(example, own)
    return text


@contextmanager
def proxy(folder: Path, page: Server) -> Iterator[int]:
    """Nginx before a page, with a certificate of its own: its port."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    site = filled_in(
        "nginx.conf",
        {
            f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(certificate),
            f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(key),
            "/var/log/nginx/fer.log": str(folder / "errors.log"),
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "http://127.0.0.1:8501": page.url,
        },
    )
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/start.log;"
        f"events {{}} http {{ {paths} {site} }}"
    )
    command = [require("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    with open(folder / "nginx.log", "wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(port) or server.poll() is not None, "nginx")
        assert server.poll() is None, (folder / "nginx.log").read_text()
        yield port
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def port(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with proxy(tmp_path_factory.mktemp("nginx"), server) as port:
        yield port


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Any]:
    with chromium(
        *browser_arguments(camera), f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
    ) as browser:
        yield browser


@pytest.fixture
def page(browser: Any, port: int) -> Iterator[Any]:
    address = f"https://{NAME}:{port}"
    page = open_page(browser, address, KEEP_VIOLATIONS, ignore_https_errors=True)
    yield page
    blocked = [frame.evaluate("() => window.violations ?? []") for frame in page.frames]
    page.close()
    # Streamlit's one inline script says a word to search engines only.
    assert {violation for frame in blocked for violation in frame} <= {"script-src-elem inline"}


@pytest.mark.browser
def test_behind_the_proxy_the_camera_opens_and_its_picture_comes_back(page: Any) -> None:
    start(page)
    says_happy(page)


@pytest.mark.browser
def test_behind_the_proxy_a_photograph_is_read_and_the_other_pages_are_whole(
    page: Any,
) -> None:
    page.goto(f"{page.url}photo")
    upload(page, SAMPLE_PHOTOS[0])
    page.get_by_test_id("stImage").locator("img").first.wait_for()
    page.get_by_role("link", name="Video").click()
    page.get_by_text("10 minutes").wait_for()
    page.get_by_role("link", name="How it works").click()
    page.get_by_role("heading", name="A face on its way").wait_for()
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")


def test_the_proxy_names_what_a_browser_may_do(port: int) -> None:
    unchecked = ssl._create_unverified_context()
    address = f"https://127.0.0.1:{port}/_stcore/health"
    with urllib.request.urlopen(address, context=unchecked) as answer:
        assert answer.read() == b"ok"
        headers = answer.headers
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert (
        "unsafe-inline"
        not in re.search("script-src[^;]*", headers["Content-Security-Policy"]).group()
    )
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_proxy_tells_nobody_how_many_visit_the_page(port: int) -> None:
    unchecked = ssl._create_unverified_context()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/_stcore/metrics", context=unchecked)


def test_the_proxy_lets_through_what_the_page_takes() -> None:
    page = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["maxUploadSize"]
    proxy = re.search(r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text())
    assert int(proxy[1]) > page


def test_the_service_is_one_that_systemd_understands_and_calls_well_locked(tmp_path: Path) -> None:
    program = require("systemd-analyze")
    unit = tmp_path / "fer.service"
    unit.write_text(filled_in("fer.service", {"/opt/fer/.venv/bin/python": sys.executable}))
    for command in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run([program, *command, unit], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Unknown" not in done.stderr


def test_what_visitors_send_lies_on_the_disk_and_goes_with_the_service() -> None:
    unit = (DEPLOY / "fer.service").read_text(encoding="utf-8").splitlines()
    assert {"Environment=TMPDIR=/var/tmp", "PrivateTmp=yes"} <= set(unit)


@contextmanager
def locked_page(log: Path) -> Iterator[str]:
    """The page as the service starts it, without rights and with a disk that it cannot write to."""
    unit = (DEPLOY / "fer.service").read_text(encoding="utf-8")
    temporary = dict(re.findall(r"^Environment=(TMPDIR)=(.*)", unit, re.MULTILINE))
    start = re.search(r"^ExecStart=\S+ (.*)--server.port=8501$", unit, re.MULTILINE)[1].split()
    apart = [require("unshare"), "--map-root-user", "--mount"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("nobody may mount anything here")
    lock = [*apart, "sh", "-c", LOCK, "sh", ROOT]
    locked = subprocess.run([*lock, "true"], capture_output=True, text=True)
    if locked.returncode:
        missing(f"{ROOT} cannot be made read-only: {locked.stderr}")
    port = free_port()
    lock += [require("setpriv"), "--no-new-privs", "--bounding-set=-all", sys.executable]
    with open(log, "wb") as output:
        page = subprocess.Popen(
            [*lock, *start, f"--server.port={port}"],
            env={**os.environ, "HOME": "/nonexistent", **temporary},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: answers(port) or page.poll() is not None, "the page")
        assert page.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        page.terminate()
        page.wait(PATIENCE_S)


@pytest.mark.browser
def test_the_page_needs_no_rights_and_no_disk_but_a_temporary_folder(
    tmp_path: Path, browser: Any
) -> None:
    log = tmp_path / "log.txt"
    with locked_page(log) as url:
        page = open_page(browser, url)
        start(page)
        says_happy(page)
        page.goto(f"{url}/photo")
        upload(page, SAMPLE_PHOTOS[0])
        page.get_by_test_id("stImage").locator("img").first.wait_for()
        page.goto(f"{url}/video")
        page.get_by_role("button", name="Use the sample").click()
        page.get_by_role("button", name="Read the film").click()
        page.get_by_role("button", name="Another film").wait_for()
    assert '"level": "ERROR"' not in log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_commands_of_the_service_are_those_that_work_here() -> None:
    unit = (DEPLOY / "fer.service").read_text(encoding="utf-8")
    commands = re.findall(r"^ExecStart(?:Pre)?=\S+ (.*)", unit, re.MULTILINE)
    ready, start = (command.split() for command in commands)
    done = run(*ready)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Ready: ")
    assert "happy" in done.stdout
    assert start[:4] == ["-m", "streamlit", "run", "streamlit_app.py"]
    # Streamlit knows the options.
    assert run("-m", "streamlit", "config", "show", *start[4:]).returncode == 0


def test_a_page_that_could_read_no_face_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=tmp_path.name):
        check(tmp_path)


def test_a_model_that_reads_photographs_but_no_stream_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("another shape")

    monkeypatch.setattr(ScoreSmoother, "__call__", fail)
    with pytest.raises(ModelError, match=r"cannot read a stream .*another shape"):
        check()
    assert "Ready" not in capfd.readouterr().out


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_page_understands_the_example_of_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (DEPLOY / "fer.env").read_text(encoding="utf-8").splitlines()
    for line in lines:
        for setting in shlex.split(line, comments=True):
            monkeypatch.setenv(*setting.split("=", 1))
    browser, server = connection.browser_configuration(), connection.server_configuration()
    assert browser["iceTransportPolicy"] == "relay"
    assert all(url.startswith(f"turn:{NAME}:3478") for url in browser["iceServers"][0]["urls"])
    assert server["iceServers"] == []


def test_the_turn_server_passes_on_to_the_page_alone_and_writes_no_address_down(
    tmp_path: Path,
) -> None:
    port = free_port()
    here = f"listening-ip=127.0.0.1\nlistening-port={port}\nallow-loopback-peers"
    here += f"\npidfile={tmp_path}/pid\nuserdb={tmp_path}/users"
    own = {"listening-port=3478": here, "203.0.113.10": "127.0.0.1"}
    configuration, log = tmp_path / "turnserver.conf", tmp_path / "log.txt"
    configuration.write_text(filled_in("turnserver.conf", own))
    with open(log, "wb") as output:
        command = [require("turnserver"), "-c", configuration]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(port) or server.poll() is not None, "the TURN server")
        with ThreadPoolExecutor() as thread:  # the browser's loop runs in this one
            refused = thread.submit(asyncio.run, send_through(port)).result()
    finally:
        server.terminate()
        server.wait(PATIENCE_S)
    assert "403" in refused
    assert "127.0.0.2" not in log.read_text()


class Errors(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.first = asyncio.get_running_loop().create_future()

    def error_received(self, error: Exception) -> None:
        self.first.set_result(str(error))


async def send_through(port: int) -> str:
    """Send to the page's address, which must arrive, and to another: why that does not."""
    configured = dict(re.findall(r"^(user)=(.*)", (DEPLOY / "turnserver.conf").read_text(), re.M))
    user, password = configured["user"].split(":")
    transport, errors = await create_turn_endpoint(Errors, ("127.0.0.1", port), user, password)
    with socket.socket(type=socket.SOCK_DGRAM) as page:
        page.bind(("127.0.0.1", 0))
        page.setblocking(False)
        transport.sendto(b"a picture", page.getsockname())
        received = asyncio.get_running_loop().sock_recv(page, 100)
        assert await asyncio.wait_for(received, 10) == b"a picture"
    assert not errors.first.done()
    transport.sendto(b"a picture", ("127.0.0.2", 9))
    refused = await asyncio.wait_for(errors.first, 10)
    transport.close()
    return refused

"""`scripts/audit` in a project of two packages, without asking the network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.streamlit_server import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environment is this one, with all that it asks for installed."""
    (tmp_path / "scripts").mkdir()
    for name in ("audit", "_environment.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    pinned = tmp_path / "requirements-dev.txt"
    pinned.write_text(f"packaging==26.0 --hash=sha256:{64 * 'a'}\n")
    program(tmp_path / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    installed = subprocess.run(["cksum", pinned.name], cwd=tmp_path, capture_output=True)
    (tmp_path / ".venv/.installed").write_bytes(installed.stdout)
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def audit(project: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [project / "scripts/audit"],
        env={**os.environ, "PATH": f"{project}/bin:/usr/bin:/bin", "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("script", "code", "out", "err"),
    [
        ("exit 0", 0, "No weakness is known", ""),
        ("echo packaging 26.0 CVE; exit 1", 1, "packaging 26.0 CVE", "Take the mended versions"),
        ("echo no answer >&2; exit 1", 1, "", "could not be looked up.*: no answer"),
    ],
)
def test_what_pip_audit_finds_is_told(
    project: Path, script: str, code: int, out: str, err: str
) -> None:
    asked = 'case "$*" in *pip-audit*"-r requirements-dev.txt") ;; *) exit 99 ;; esac'
    program(project / "bin/uv", f"{asked}\n{script}")
    done = audit(project)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, bool(err))
    assert done.stdout.startswith(out) and bool(out) == bool(done.stdout)
    assert re.search(err, done.stderr)


def test_without_a_network_one_sentence_says_so(project: Path) -> None:
    if shutil.which("uv", path="/usr/bin:/bin"):
        pytest.skip("uv is there, which would be asked in place of pip")
    done = audit(project)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"pip-audit could not be installed: .*No matching.*pip-audit\n", done.stderr
    )

"""How the scripts keep the environment: of a small project, whose packages nobody fetches."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.streamlit_server import ROOT
from tests.waiting import PATIENCE_S, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell")

# Makes an environment whose Python is this one; installs for as long as there is a file "hold".
UV = f"""#!/bin/sh
case $1 in
venv)
    mkdir -p .venv/bin
    cat >.venv/bin/python <<'END'
#!/bin/sh
exec "{sys.executable}" -c "import sys; sys.prefix = 'its own'; $2"
END
    chmod +x .venv/bin/python
    ;;
pip)
    echo "$@" >>installs
    while [ -e hold ]; do sleep 0.1; done
    ;;
esac
"""

START = """#!/bin/sh
set -eu
. "$(dirname -- "$0")/_environment.sh"
ensure_environment requirements.txt
"""

TOOLS = "cat chmod cksum dirname find grep mkdir rm sh sleep".split()


class Project:
    """A project that is started in folders and with programs of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = root / ".venv"
        for name, script in (("bin/uv", UV), ("scripts/start", START)):
            (root / name).parent.mkdir()
            (root / name).write_text(script)
            (root / name).chmod(0o755)
        shutil.copy(ROOT / "scripts/_environment.sh", root / "scripts")
        (root / "requirements.txt").write_text("packaging==26.0\n")
        for tool in TOOLS:
            self.give(tool)

    def give(self, tool: str) -> None:
        path = shutil.which(tool)
        if path is None:
            pytest.skip(f"{tool} is not here")
        (self.root / "bin" / tool).symlink_to(path)

    def start(self, log: str) -> "subprocess.Popen[bytes]":
        with (self.root / log).open("w") as file:
            return subprocess.Popen(
                [self.root / "scripts/start"],
                env={"PATH": str(self.root / "bin")},
                stderr=file,
                start_new_session=True,
            )

    def said(self, log: str) -> str:
        return (self.root / log).read_text()

    def installs(self) -> list[str]:
        path = self.root / "installs"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("program", ["flock", "perl"])
def test_of_two_starts_one_installs_and_the_other_says_what_it_waits_for(
    project: Project, program: str
) -> None:
    project.give(program)
    hold = project.root / "hold"
    hold.touch()
    first = project.start("first")
    wait_for(project.installs, "the first to install")
    second = project.start("second")
    wait_for(lambda: project.said("second"), "the second's word")
    hold.unlink()
    assert (first.wait(PATIENCE_S), second.wait(PATIENCE_S)) == (0, 0)
    assert len(project.installs()) == 1
    assert project.said("second").startswith("Waiting for another start")
    assert len(project.said("second").splitlines()) == 1


def test_an_install_that_was_killed_is_made_anew_whoever_has_its_number_now(
    project: Project,
) -> None:
    project.give("flock")
    hold = project.root / "hold"
    hold.touch()
    killed = project.start("killed")
    wait_for(project.installs, "the install")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    hold.unlink()
    (project.environment / ".installing").write_text(f"{os.getpid()}\n")
    assert project.start("again").wait(PATIENCE_S) == 0
    assert ["--reinstall" in line for line in project.installs()] == [False, True]
    assert "Waiting" not in project.said("again")


def test_an_environment_that_is_ready_is_not_written_to(project: Project) -> None:
    assert project.start("first").wait(PATIENCE_S) == 0
    before = {path: path.stat().st_mtime_ns for path in project.environment.rglob("*")}
    before[project.environment] = project.environment.stat().st_mtime_ns
    assert project.start("second").wait(PATIENCE_S) == 0
    assert project.said("second") == ""
    assert before == {path: path.stat().st_mtime_ns for path in before}

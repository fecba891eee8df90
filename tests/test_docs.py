"""The documentation is built without a warning, leads nowhere in vain, and says what is true."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fer
from fer import cli, pipeline

ROOT = Path(fer.__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
each_text = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    # A module that loads these cannot be found, as where only the extra `docs` is installed.
    for name in ("tensorflow", "keras"):
        (folder / "without" / name).mkdir(parents=True)
        (folder / "without" / name / "__init__.py").write_text("raise ImportError('not here')")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder / "site"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder / "without")},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder / "site"


def test_every_public_name_has_a_place_in_the_api(site):
    html = (site / "api.html").read_text(encoding="utf-8")
    headings = set(re.findall(r'<h\d id="([\w.]+)"', html))
    assert set(fer.__all__) <= {heading.rpartition(".")[2] for heading in headings}
    assert "fer.ExpressionPipeline.__call__" in headings


def test_the_built_pages_fetch_nothing_from_elsewhere(site):
    fetched = r"""<(?:script|img|iframe)[^>]* src="(https?:)?//|<link[^>]* href="https?://"""
    for page in site.glob("*.html"):
        assert not re.search(fetched, page.read_text(encoding="utf-8")), page.name


@each_text
def test_relative_links_lead_to_files(path):
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert links or path.name not in ("README.md", "index.md")
    missing = [link for link in links if ":" not in link and not (path.parent / link).exists()]
    assert not missing


@each_text
def test_commands_name_programs_that_exist(path):
    text = path.read_text(encoding="utf-8")
    programs = re.findall(r"python ([\w/]+\.py)\b|(?:^|[\s`])(scripts/\w+)", text)
    assert not [a or b for a, b in programs if not (ROOT / (a or b)).is_file()]


@each_text
def test_commands_of_fer_are_those_that_it_has(path):
    named = re.findall(r"(?:-m |`)fer (?!-)([\w-]+)", path.read_text(encoding="utf-8"))
    commands = {command.callback.__name__ for command in cli.app.registered_commands}
    groups = {group.name for group in cli.app.registered_groups}
    assert set(named) <= commands | groups


@each_page
def test_the_examples_of_a_page_are_true(path):
    fences = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    examples = "\n".join(fence for fence in fences if fence.startswith(">>>"))
    test = doctest.DocTestParser().get_doctest(examples, {}, path.name, str(path), 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    assert test.examples or path.name != "library.md"


def test_the_example_of_the_pipeline_is_true():
    result = doctest.testmod(pipeline)
    assert result.attempted
    assert not result.failed

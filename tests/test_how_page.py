"""The page that explains: each step of a face's way, and the figures of the model's card."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fer import EXPRESSIONS, ExpressionPipeline
from fer.annotation import FaceView, describe
from fer.card import load_card
from fer.classification import calibrated, resolve_model
from fer.errors import ModelError
from fer.pictures import read_picture
from fer.preprocessing import crop_faces
from fer.sample import SAMPLE_PHOTOS, SAMPLE_VIDEO
from fer.web import how, quality, steps
from fer.web.figures import draw_map, picture_html, strongest
from fer.web.stages import NetworkStages
from fer.web.visit import LastFace, Visit
from tests.browser import PHONE, chromium, open_page, settle
from tests.streamlit_server import ROOT, Server, browser_arguments

TITLES = [
    "1. Found",
    "2. Cut out",
    "3. Made small and grey",
    "4. Stage by stage",
    "5. A map for each expression",
    "6. Weighed",
    "7. Said",
]
PARTS = [
    "A face on its way through the program",
    "How good it is",
    "What it must not be used for",
    "Whom the data shows",
]
PICTURES_LOADED = """() => {
  const pictures = [...document.querySelectorAll(".fer-picture img")];
  return pictures.length > 50
    && pictures.every((one) => one.naturalWidth > 0 && one.alt && one.clientWidth > 30);
}"""
HEADINGS = "[...document.querySelectorAll('h1, h2, h3')].map((one) => [one.tagName, one.innerText])"
CUT_OFF = """() => [...document.querySelectorAll("[data-testid=stMain] *")]
  .filter((one) => one.matches("p, li, h1, h2, h3, img, th, td"))
  .filter((one) => one.checkVisibility() && !one.closest("[data-testid=stExpander]"))
  .filter((one) => {
    const place = one.getBoundingClientRect();
    return place.right > innerWidth + 1 || place.left < 0 || one.scrollWidth > one.clientWidth + 1;
  }).map((one) => one.outerHTML.slice(0, 99))"""


class _Alts(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.alts.append(dict(attrs)["alt"] or "")


def sample_face(path: Path = SAMPLE_PHOTOS[0]) -> LastFace:
    frame = read_picture(path)
    return LastFace(frame, ExpressionPipeline(live=False).detector(frame).xyxy[0])


@pytest.fixture
def visit() -> Iterator[Visit]:
    visit = Visit()
    yield visit
    visit.end()


def show_page(visit: Visit, model: Path | None = None, view: FaceView = FaceView.BESIDE) -> AppTest:
    script = f"from fer.web import how\nhow.show({str(model) if model else None!r})"
    page = AppTest.from_string(script, default_timeout=60)
    page.session_state["visit"] = visit
    page.session_state["view_faces"] = view
    page.run()
    assert not page.exception
    return page


def text(page: AppTest) -> str:
    return "\n".join(one.value for one in (*page.markdown, *page.caption, *page.info))


@pytest.fixture
def bare_model(tmp_path: Path) -> Path:
    """The shipped network, with nothing but what the apps need, and not measured."""
    shutil.copy(resolve_model(), tmp_path)
    replace(load_card(resolve_model().parent), figures={}).save(tmp_path)
    return tmp_path


@pytest.mark.browser
@pytest.mark.slow
def test_every_step_is_shown_with_its_pictures_on_a_desk_and_on_a_phone(server: Server) -> None:
    with chromium(*browser_arguments(None)) as browser:
        page = open_page(browser, f"{server.url}/how")
        page.get_by_role("heading", name=PARTS[-1]).wait_for()
        page.wait_for_function(PICTURES_LOADED)
        settle(page)
        headings = page.evaluate(HEADINGS)
        assert [name for tag, name in headings if tag == "H2"] == PARTS
        assert [name for tag, name in headings if tag == "H3"] == TITLES
        assert headings[0][0] == "H1"

        page.get_by_text("Read the code: fer/detection.py").click()
        page.get_by_text("class HaarFaceDetector").first.wait_for()
        page.get_by_text("Grace Hopper", exact=True).click()
        page.get_by_alt_text("with what the program says: neutral").wait_for()

        page.set_viewport_size(PHONE)
        page.wait_for_function(PICTURES_LOADED)
        settle(page)
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CUT_OFF) == []
        assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize("view", [FaceView.BLUR, FaceView.INSTEAD])
def test_who_hides_faces_is_not_shown_their_own(view: FaceView, visit: Visit) -> None:
    visit.last_face = sample_face(SAMPLE_PHOTOS[1])
    page = show_page(visit, view=view)
    assert page.radio[0].options == ["Eileen Collins", "Grace Hopper"]
    assert how.HIDDEN in text(page)


def test_without_a_face_of_ones_own_the_sample_is_shown_and_how_to_change_that(
    visit: Visit,
) -> None:
    page = show_page(visit)
    assert page.radio[0].options == ["Eileen Collins", "Grace Hopper"]
    assert how.NO_OWN in text(page)
    assert "The program says: **happy" in text(page)
    page.radio[0].set_value("Grace Hopper").run()
    assert "The program says: **neutral" in text(page)


def test_the_visitors_own_last_face_comes_first_and_the_sample_by_choice(visit: Visit) -> None:
    visit.last_face = sample_face(SAMPLE_PHOTOS[1])
    page = show_page(visit)
    assert page.radio[0].options == [how.OWN, "Eileen Collins", "Grace Hopper"]
    assert "The program says: **neutral" in text(page)
    page.radio[0].set_value("Eileen Collins").run()
    assert "The program says: **happy" in text(page)


@pytest.mark.parametrize("box", [(0, 300, 90, 390), (176, 66, 275, 165)])
def test_a_last_face_that_is_not_found_again_makes_way_for_the_sample(
    box: tuple[float, ...], visit: Visit
) -> None:
    """Because the box lies elsewhere, or because the picture holds no face at all."""
    frame = read_picture(SAMPLE_PHOTOS[0]) if box[0] == 0 else np.full((480, 640, 3), 90, np.uint8)
    visit.last_face = LastFace(frame, np.array(box, np.float32))
    page = show_page(visit)
    assert how.LOST in text(page)
    assert "The program says: **happy" in text(page)


def test_of_several_faces_the_visitors_own_is_followed(visit: Visit) -> None:
    with av.open(str(SAMPLE_VIDEO)) as film:
        frame = next(film.decode(video=0)).to_ndarray(format="bgr24")
    result = ExpressionPipeline(live=False)(frame)
    assert len(result) == 2
    for box, said in zip(result.xyxy, describe(result), strict=True):
        visit.last_face = LastFace(frame, box + 4)
        assert f"The program says: **{said}**" in text(show_page(visit))


def test_a_model_without_stages_and_figures_still_has_its_page(
    bare_model: Path, visit: Visit
) -> None:
    page = show_page(visit, bare_model)
    assert "python -m fer export writes it" in text(page)
    assert quality.NO_FIGURES in text(page)
    assert [one.value.split(". ")[1] for one in page.subheader] == [
        title.split(". ")[1] for title in TITLES if "map" not in title
    ]


def test_a_damaged_file_of_stages_is_told_and_the_rest_is_shown(
    bare_model: Path, visit: Visit
) -> None:
    (bare_model / "stages.tflite").write_bytes(b"no model")
    page = show_page(visit, bare_model)
    assert "SHA-256 differs" in text(page)
    assert len(page.subheader) == len(TITLES) - 1


def test_a_card_with_few_figures_is_told_as_far_as_it_goes(bare_model: Path, visit: Visit) -> None:
    card = load_card(bare_model)
    replace(card, figures={"public": {"accuracy": 0.503}}).save(bare_model)
    assert [one.value for one in show_page(visit, bare_model).metric] == ["50.3 %"]


def test_the_figures_are_those_of_the_card(visit: Visit) -> None:
    figures = load_card(resolve_model().parent).figures
    public, page = figures["public"], show_page(visit)
    error = figures["calibration"]["after"]["expected_calibration_error"]
    assert [one.value for one in page.metric] == [
        f"{share:.1%}".replace("%", " %")
        for share in (public["accuracy"], public["macro_f1"], error)
    ]
    worst = min(public["recall"], key=public["recall"].get)
    share = f"labelled **{worst}**, it says {worst} for {100 * public['recall'][worst]:.0f}"
    assert share in text(page)
    assert "was fitted there too" in text(page)
    assert "Article 5(1)(f)" in text(page)
    assert "An expression is not a feeling." in text(page)


def test_what_the_stages_give_is_what_the_program_says() -> None:
    face, pipeline = sample_face(), ExpressionPipeline(live=False)
    crop = crop_faces(face.frame, face.box[np.newaxis])
    stages, card = NetworkStages()(crop[0]), pipeline.classifier.card
    scores = calibrated(stages.logits[np.newaxis], card)
    np.testing.assert_allclose(scores, pipeline.classifier(crop), atol=5e-3)
    assert stages.attention is not None
    np.testing.assert_allclose(stages.attention.mean(axis=(0, 1)), stages.logits, atol=1e-4)
    sides = [maps.shape[0] for maps in stages.maps]
    assert sides == sorted(sides, reverse=True) and len(sides) == 4


def test_each_picture_is_told_in_words_and_each_step_names_its_file() -> None:
    made = steps.make_steps(sample_face(), ExpressionPipeline(live=False), None)
    for step in made:
        assert (ROOT / step.code).is_file()
        alts = _Alts(step.picture + step.below).alts
        assert all(alts) and len(set(alts)) == len(alts)
    assert len(_Alts(made[3].below).alts) == 4 * 8
    assert all(f"{name} " in made[4].below for name, _ in EXPRESSIONS)


def test_a_network_without_maps_leaves_that_step_out(monkeypatch: pytest.MonkeyPatch) -> None:
    run = NetworkStages.__call__
    monkeypatch.setattr(
        NetworkStages, "__call__", lambda self, face: replace(run(self, face), attention=None)
    )
    made = steps.make_steps(sample_face(), ExpressionPipeline(live=False), None)
    assert "A map for each expression" not in [step.title for step in made]


def test_a_face_that_reaches_over_the_edge_goes_all_the_way() -> None:
    whole, pipeline = sample_face(), ExpressionPipeline(live=False)
    left, top = whole.box[:2].astype(int) + 1
    frame = np.ascontiguousarray(whole.frame[top:, left:])
    box = pipeline.detector(frame).xyxy[0] - 10
    assert (box[:2] < 0).all()
    assert len(steps.make_steps(LastFace(frame, box), pipeline, None)) == len(TITLES)


def test_the_strongest_maps_are_those_that_differ_most_from_place_to_place() -> None:
    maps = np.zeros((4, 4, 3), np.float32)
    maps[..., 0], maps[0, 0, 1], maps[0, 0, 2] = 9, 1, 5
    assert strongest(maps, 2).tolist() == [2, 1]


def test_a_map_is_the_lighter_the_higher_its_values() -> None:
    drawn = draw_map(np.linspace(-1, 3, 9, dtype=np.float32)[np.newaxis], 0, 2)
    lightness = drawn.astype(int).sum(axis=2)[0]
    assert (np.diff(lightness) >= 0).all()
    assert lightness[0] == lightness[2] and lightness[-1] == lightness[-3]


def test_words_cannot_break_out_of_a_picture() -> None:
    html = picture_html(np.zeros((2, 2), np.uint8), '"><script>', "<b>")
    assert "<script>" not in html and "<b>" not in html


def test_a_missing_model_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model at"):
        NetworkStages(tmp_path / "gone")


def test_the_page_imports_no_tensorflow() -> None:
    code = (
        "import sys, fer.web.how; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

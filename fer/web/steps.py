"""A face's way through the program, a step at a time: what comes out, and the code that does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
import supervision as sv

import fer
from fer.annotation import ExpressionAnnotator, describe
from fer.card import ModelCard
from fer.detection import PHOTO_SEARCH_SIDE, SEARCH_SIDE
from fer.errors import ModelError
from fer.expressions import EXPRESSION_NAMES
from fer.pipeline import DARK_BELOW, SMALL_BELOW, UNSURE_BELOW, ExpressionPipeline
from fer.preprocessing import BOX_MARGIN, INPUT_SIZE, crop_faces
from fer.web.cascade import draw_patterns
from fer.web.faces import bars_html
from fer.web.figures import draw_heat, draw_map, gallery_html, picture_html, strongest
from fer.web.stages import NetworkStages, StageOutputs
from fer.web.visit import LastFace

_ROOT = Path(fer.__file__).parent.parent
_BOX_COLOR = sv.Color.from_hex("#ffd166")
_CODE_HEIGHT = 420  # pixels

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Step:
    """One station of the way.

    Attributes:
        title: What is done there, in a word or two.
        words: Markdown: how it is done, and why.
        code: The file that does it, from the repository's root.
        picture: HTML that stands beside the words.
        below: HTML that takes the whole width.
    """

    title: str
    words: str
    code: str
    picture: str = ""
    below: str = ""


def show(face: LastFace, pipeline: ExpressionPipeline, model: str | Path | None) -> None:
    """Draw all steps.

    Args:
        face: A picture, and where the pipeline finds a face in it.
        pipeline: One for photographs.
        model: That of the pipeline, as it takes it.
    """
    for number, step in enumerate(make_steps(face, pipeline, model), start=1):
        st.subheader(f"{number}. {step.title}", anchor=False)
        if step.picture:
            picture, words = st.columns([1, 2], gap="medium")
            picture.html(step.picture)
            words.markdown(step.words)
        else:
            st.markdown(step.words)
        if step.below:
            st.html(step.below)
        with st.expander(f"Read the code: `{step.code}`"):
            source = (_ROOT / step.code).read_text(encoding="utf-8")
            st.code(source, "python", line_numbers=True, height=_CODE_HEIGHT)


def make_steps(
    face: LastFace, pipeline: ExpressionPipeline, model: str | Path | None
) -> list[Step]:
    """Send a face through the program and tell of each step; arguments as `show` has them."""
    crop = crop_faces(face.frame, face.box[np.newaxis])[0]
    scores = pipeline.classifier(crop[np.newaxis])[0]
    steps = [_found(face), _cut_out(face), _made_small(crop)]
    try:
        stages = NetworkStages(model)(crop)
    except ModelError as error:
        steps.append(Step("Stage by stage", str(error), "fer/training/networks.py"))
    else:
        steps.append(_stage_by_stage(stages))
        if stages.attention is not None:
            steps.append(
                _mapped(stages.attention, stages.logits, EXPRESSION_NAMES[scores.argmax()], crop)
            )
    return [*steps, _weighed(scores, pipeline.classifier.card), _said(face, pipeline)]


def _found(face: LastFace) -> Step:
    thickness = sv.calculate_optimal_line_thickness((face.frame.shape[1], face.frame.shape[0]))
    marked = sv.BoxAnnotator(color=_BOX_COLOR, thickness=thickness).annotate(
        face.frame.copy(), sv.Detections(xyxy=face.box[np.newaxis], class_id=np.zeros(1, int))
    )
    patterns = draw_patterns(_square(face, 1))
    words = f"""A window slides over a small grey copy of the picture, {PHOTO_SEARCH_SIDE} pixels
long at most ({SEARCH_SIDE} in a film), and grows from round to round. At each place a *cascade* of
questions asks whether light and dark lie as they do in a face seen from the front: the eyes darker
than the cheeks below them, the bridge of the nose lighter than both eyes. Nearly every place fails
one of the first questions. That is why it is quick.

Below are the patterns of the first question. The light under white is added up,
that under black taken away, and the difference compared with what faces have.

*Viola and Jones, 2001.*"""
    tiles = [
        picture_html(pattern, f"Pattern {number}: bright and dark rectangles over the face")
        for number, pattern in enumerate(patterns, start=1)
    ]
    picture = picture_html(marked, "The picture, with a frame round the face that was found")
    return Step("Found", words, "fer/detection.py", picture, gallery_html(tiles, 6, 3))


def _cut_out(face: LastFace) -> Step:
    words = f"""A square round the middle of the frame, {BOX_MARGIN} times as wide: so are the
pictures cut from which the network has learned, and a network knows only what it has learned
from. All else in the picture is forgotten here: the room, the hands, who stands beside.

The same few lines cut faces for training, for measuring and for every camera. A network that is
fed other pixels than it was trained on is the usual mistake of programs like this one."""
    picture = picture_html(_square(face, BOX_MARGIN), "The face, cut out")
    return Step("Cut out", words, "fer/preprocessing.py", picture)


def _made_small(crop: Image) -> Step:
    words = f"""{INPUT_SIZE} × {INPUT_SIZE} grey points, {crop.size:,} numbers from 0 for black to
255 for white. **This is all that the network sees.** What you cannot tell from this picture, it
cannot know."""
    picture = picture_html(
        crop, f"The face as {INPUT_SIZE} by {INPUT_SIZE} grey squares", points=True
    )
    return Step("Made small and grey", words, "fer/preprocessing.py", picture)


def _stage_by_stage(stages: StageOutputs) -> Step:
    words = """A *convolution* slides a small pattern, 3 × 3 numbers mostly, over the picture and
notes at each place how well it fits: an edge, a corner, a dark spot. What it notes is a map. The
next one slides over all these maps, and finds patterns of patterns. After each stage the maps are
halved: fewer places, more patterns, until they tell of brows and mouths and not of points.

Nobody chose the patterns; training did, and not all of them have a name. Here are the eight maps
of each stage that differ most from place to place in this face: the lighter, the better the fit."""
    parts = []
    for number, maps in enumerate(stages.maps, start=1):
        side, count = maps.shape[1:]
        chosen = maps[..., strongest(maps)]
        tiles = [
            picture_html(
                draw_map(chosen[..., i], chosen.min(), chosen.max()),
                f"Stage {number}, map {i + 1} of {chosen.shape[-1]}",
                points=True,
            )
            for i in range(chosen.shape[-1])
        ]
        parts.append(f"<p><b>Stage {number}:</b> {count} maps of {side} × {side}</p>")
        parts.append(gallery_html(tiles, 8, 4))
    return Step("Stage by stage", words, "fer/training/networks.py", below="".join(parts))


def _mapped(
    attention: npt.NDArray[np.float32], logits: npt.NDArray[np.float32], name: str, crop: Image
) -> Step:
    words = f"""The last layer mixes the maps of the last stage into one for each expression. A
light place speaks for it, a dark one against it. The mean of a map is the expression's score: the
number below it.

So a map tells where its score comes from. Laid over the face it shows what speaks for **{name}**.

*Class activation maps; Zhou and others, 2016.*"""
    tiles = [
        picture_html(
            draw_map(attention[..., i], attention.min(), attention.max()),
            f"Map of {other}",
            f"{other} {logit:+.1f}".replace("-", "−"),
            points=True,
        )
        for i, (other, logit) in enumerate(zip(EXPRESSION_NAMES, logits, strict=True))
    ]
    heat = draw_heat(crop, attention[..., EXPRESSION_NAMES.index(name)])
    picture = picture_html(heat, f"The face; bright is what speaks for {name}")
    below = gallery_html(tiles, 7, 4)
    return Step("A map for each expression", words, "fer/training/networks.py", picture, below)


def _weighed(scores: npt.NDArray[np.float32], card: ModelCard) -> Step:
    right = float(np.interp(0.8, *np.transpose(card.reliability)))
    words = rf"""The scores become probabilities, which are positive and sum to 100 %:

$$
p_i = \frac{{e^{{z_i / T + b_i}}}}{{\sum_j e^{{z_j / T + b_j}}}}
$$

$z_i$ are the seven scores. $T$, the *temperature*, is {card.temperature:.2f}: above 1 it makes the
network more modest, below 1 bolder. The *bias* $b_i$ helps expressions that it would name too
seldom, and holds back the others. Last, the largest becomes the share of such answers that is
right, and the others share the rest: 80 % becomes {100 * right:.0f} %. All of it is fitted so that
of the answers given with 80 % about 80 in 100 are right."""
    bars = bars_html("Seven probabilities", scores)
    return Step("Weighed", words, "fer/classification.py", bars)


def _said(face: LastFace, pipeline: ExpressionPipeline) -> Step:
    result = pipeline(face.frame)
    row = int(sv.box_iou_batch(face.box[np.newaxis], result.xyxy).argmax())
    said = describe(result)[row]
    drawn = ExpressionAnnotator(face.frame.shape[0]).annotate(face.frame.copy(), result)
    words = f"""The program says: **{said}**. And where it cannot know, it says that:

- *unsure*, and the two likeliest, where none reaches {UNSURE_BELOW:.0%};
- *too dark*, where a face has less than {DARK_BELOW:.0f} of 255 on the average;
- *too small*, where it is less than {SMALL_BELOW:.0f} pixels wide;
- *turned away*, in a film, where a face that it knows looks to the side.

In a film it also follows each face from picture to picture, averages what it shows over the last
moments, and changes its word only when another one has won for a moment.""".replace("%;", " %;")
    picture = picture_html(drawn, f"The picture, with what the program says: {said}")
    return Step("Said", words, "fer/pipeline.py", picture)


def _square(face: LastFace, margin: float) -> Image:
    """Cut the square round a face, so far as it is in the picture."""
    height, width = face.frame.shape[:2]
    box = sv.clip_boxes(sv.scale_boxes(face.box[np.newaxis], margin), (width, height))
    return np.asarray(sv.crop_image(face.frame, box[0]), np.uint8)

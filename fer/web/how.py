"""The page that explains: a face on its way through the program, and what it is good for."""

from pathlib import Path

import numpy as np
import streamlit as st
import supervision as sv

from fer.detection import HaarFaceDetector
from fer.pictures import read_picture
from fer.pipeline import ExpressionPipeline
from fer.sample import SAMPLE_PHOTOS
from fer.web import figures, quality, steps
from fer.web.look import chosen_faces
from fer.web.visit import LastFace, current_visit

OWN = "Your last face"
SAMPLES = dict(zip(("Eileen Collins", "Grace Hopper"), SAMPLE_PHOTOS, strict=True))
"""The portraits of the sample by whom they show."""

NO_OWN = "Read a face on the live page or in a photo, and you can follow your own here."
HIDDEN = "You chose to hide faces, so your own is not shown here."
LOST = (
    "In your last picture the face is not found any more, as it happens between two frames: "
    "here is Eileen Collins instead."
)

_SAME_FACE_IOU = 0.3


def show(model: str | Path | None = None) -> None:
    """Draw the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        ModelError: The model is missing, damaged or not one of ours.
    """
    st.html(figures.STYLE)
    pipeline = ExpressionPipeline(model, live=False)
    st.header("A face on its way through the program")
    face = _choose_face(pipeline.detector)
    steps.show(face, pipeline, model)
    quality.show(model)


def _choose_face(detector: HaarFaceDetector) -> LastFace:
    """Let the visitor choose a face, and find it."""
    hidden = chosen_faces().hides
    own = None if hidden else current_visit().last_face
    choice = st.radio("Whose face", [OWN, *SAMPLES] if own else [*SAMPLES], horizontal=True)
    if not own:
        st.markdown(HIDDEN if hidden else NO_OWN)
    elif choice == OWN:
        if found := _find(detector, own):
            return found
        st.info(LOST)
        choice = next(iter(SAMPLES))
    frame = read_picture(SAMPLES[choice])
    return LastFace(frame, detector(frame).xyxy[0])


def _find(detector: HaarFaceDetector, face: LastFace) -> LastFace | None:
    """Search a picture for its face once more."""
    boxes = detector(face.frame).xyxy
    overlaps = sv.box_iou_batch(face.box[np.newaxis], boxes)[0]
    if overlaps.max(initial=0) < _SAME_FACE_IOU:
        return None
    return LastFace(face.frame, boxes[overlaps.argmax()])

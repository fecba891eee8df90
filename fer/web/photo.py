"""The photo page: photographs from the visitor's disk or camera, read one by one."""

import io
import threading
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
import supervision as sv
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fer.annotation import ExpressionAnnotator, describe
from fer.classification import ExpressionClassifier
from fer.errors import FerError, SourceError
from fer.expressions import READABLE
from fer.pictures import SUFFIXES, read_picture, write_picture
from fer.pipeline import ExpressionPipeline
from fer.rows import make_rows, open_rows
from fer.sample import SAMPLE_PHOTOS
from fer.web.faces import bars_html
from fer.web.look import Look, choose_look, chosen_faces
from fer.web.uploads import asked_for, download, empty, left_out, plain, short, take
from fer.web.visit import LastFace, Visit, current_visit

MAX_PHOTOS = 10
"""How many photographs the page holds."""

MAX_MEGABYTES = 20
"""Size of the largest file."""

MAX_PIXELS = 50_000_000
"""Pixels of the largest picture."""

MAX_SIDE = 30_000
"""Width and height of the largest picture, in pixels: a JPEG file holds twice as much."""

LIMITS = (
    f"Up to {MAX_PHOTOS} pictures, each of {MAX_PIXELS // 10**6} million pixels "
    f"and {MAX_MEGABYTES} MB at most."
)
NO_FACE = "No face was found: it must be upright and seen from the front, and not too small."

_SOURCES = ("Files", "Camera", "Sample")
_ONE_AT_A_TIME = threading.Lock()  # on the server: a large picture takes half a gigabyte to read


@dataclass(frozen=True)
class Photo:
    """A photograph that was read.

    Attributes:
        number: Counted from 1, over the whole visit.
        name: As the visitor calls it; for display only.
        path: Where the file is kept.
        detections: What `fer.ExpressionPipeline` says of it, from left to right.
    """

    number: int
    name: str
    path: Path
    detections: sv.Detections


def show(model: str | Path | None = None) -> None:
    """Draw the page.

    Args:
        model: As `fer.ExpressionPipeline` takes it.

    Raises:
        FerError: The model is no good.
    """
    visit = current_visit()
    photos: list[Photo] = st.session_state.setdefault("photos", [])
    if not photos:
        ExpressionClassifier(model)  # a missing model is better told before the upload
    refused: list[str] = st.session_state.setdefault("photos_refused", [])
    new = _ask()
    if new:
        refused[:] = filter(None, [left_out()])
        pipeline = ExpressionPipeline(model, live=False)
        for file in new:
            with st.spinner(f"Reading {plain(short(file.name))} …"):
                try:
                    photos.append(_read(file, photos, visit, pipeline))
                except FerError as error:
                    refused.append(str(error))
        empty()
    for sentence in refused:
        st.error(plain(sentence))
    if photos:
        look = choose_look(model)
        _offer_everything(photos, look, visit.folder)
        for photo in photos:
            _show_photo(photo, _annotated(photo, look, visit.folder))


def _ask() -> list[UploadedFile | Path]:
    """Let the visitor choose photographs, and give those that are new."""
    origin = st.segmented_control(
        "Photos from", _SOURCES, default=_SOURCES[0], required=True, key="photos_from"
    )
    if origin == "Camera":
        return [*asked_for(st.camera_input, "Take a photo")]
    if origin == "Sample":
        pressed = st.button("Read two portraits", type="primary")
        return [*SAMPLE_PHOTOS] if pressed else []
    st.caption(LIMITS)
    return [
        *asked_for(
            st.file_uploader,
            "Photos of faces",
            type=list(SUFFIXES),
            accept_multiple_files=True,
            label_visibility="collapsed",
            max_upload_size=MAX_MEGABYTES,
        )
    ]


def _read(
    file: UploadedFile | Path, photos: list[Photo], visit: Visit, pipeline: ExpressionPipeline
) -> Photo:
    """Read one photograph."""
    name = short(file.name)
    number = st.session_state["photos_count"] = st.session_state.get("photos_count", 0) + 1
    path = visit.folder / f"photo-{number}"
    if isinstance(file, Path):
        path = file
    else:
        take(file, path)
    try:
        if len(photos) >= MAX_PHOTOS:
            raise SourceError(
                f"{name} was left out: there is room for {MAX_PHOTOS} pictures; "
                "press Clear to make some."
            )
        if path.stat().st_size > MAX_MEGABYTES * 2**20:
            raise SourceError(f"{name} is too large: expected {MAX_MEGABYTES} MB at most.")
        with _ONE_AT_A_TIME:
            picture = read_picture(path, name, MAX_PIXELS)
            if max(picture.shape) > MAX_SIDE:
                raise SourceError(f"{name} is too long: expected {MAX_SIDE:,} pixels at most.")
            detections = pipeline(picture)
    except SourceError:
        if path != file:
            path.unlink()
        raise
    if not chosen_faces().hides:
        visit.last_face = LastFace.of(picture, detections) or visit.last_face
    left_to_right: sv.Detections = detections[np.argsort(detections.xyxy[:, 0])]  # type: ignore[assignment]
    return Photo(number, name, path, left_to_right)


def _annotated(photo: Photo, look: Look, folder: Path) -> Path:
    """Draw the annotated copy, unless it is there already."""
    faces, attention = look
    copy = folder / f"photo-{photo.number}-{faces}-{attention:d}.jpg"
    if not copy.exists():
        with _ONE_AT_A_TIME:
            picture = read_picture(photo.path, photo.name, MAX_PIXELS)
            annotator = ExpressionAnnotator(len(picture), faces, attention)
            write_picture(copy, annotator.annotate(picture, photo.detections))
    return copy


def _show_photo(photo: Photo, copy: Path) -> None:
    """Show the annotated picture beside what its faces show."""
    st.subheader(plain(photo.name), anchor=False)
    picture, words = st.columns([3, 2], gap="medium")
    with picture:
        texts = ", ".join(describe(photo.detections))
        st.image(str(copy), width="stretch", alt=f"{photo.name}: {texts or 'no face'}")
    with words:
        if texts:
            st.html(_faces_html(photo.detections))
        else:
            st.info(NO_FACE)
        download("Picture", copy.read_bytes, f"photo-{photo.number}.jpg", "image/jpeg")


def _faces_html(detections: sv.Detections) -> str:
    """A table for each face, from left to right."""
    texts, data = describe(detections), detections.data
    if len(texts) > 1:
        texts = [f"Face {number} from the left: {text}" for number, text in enumerate(texts, 1)]
    faint = ~np.isin(data["state"], READABLE)
    rows = zip(texts, data["scores"], faint, strict=True)
    return "".join(bars_html(text, scores, faint=dark) for text, scores, dark in rows)


def _offer_everything(photos: list[Photo], look: Look, folder: Path) -> None:
    """Offer the rows, all pictures at once, and a new beginning."""
    with st.container(horizontal=True):
        download("Table of all faces", partial(_csv, photos, folder), "faces.csv", "text/csv")
        if len(photos) > 1:
            packed = partial(_zip, photos, look, folder)
            download("All pictures", packed, "photos.zip", "application/zip")
        st.button("Clear", on_click=_clear, args=(folder,))


def _csv(photos: list[Photo], folder: Path) -> bytes:
    path = folder / "photos.csv"
    with open_rows(path) as file:
        for photo in photos:
            file.write(make_rows(photo.detections, photo.name))
    return path.read_bytes()


def _zip(photos: list[Photo], look: Look, folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for photo in photos:
            archive.write(_annotated(photo, look, folder), f"photo-{photo.number}.jpg")
    return packed.getvalue()


def _clear(folder: Path) -> None:
    """Forget the photographs, and delete them."""
    st.session_state["photos"] = []
    st.session_state["photos_refused"] = []
    for path in folder.glob("photo*"):
        path.unlink()

"""What all pages of the browser app share: the frame round them, and the way between them."""

from pathlib import Path

import streamlit as st

from fer.errors import FerError
from fer.web import faces, how, live, log, photo, signalling, timeline, uploads, video
from fer.web.pages import remember

PRIVACY = (
    "Privacy: the picture goes to the computer that runs this page and no further; "
    "nothing is kept after your visit."
)

_STYLE = """<style>
.stMainBlockContainer { max-width: 68rem; padding-top: 3rem; }
/* Streamlit's own grey is too pale to be read by everyone. */
body [data-testid=stCaptionContainer] { opacity: 0.8; }
/* And its white letters on the dark theme's light buttons. */
body [data-testid=stBaseButton-primary] p { color: light-dark(#ffffff, #14191c); }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-top: 1rem; }
  .stMainBlockContainer h1 { font-size: 1.75rem; padding-bottom: 0.5rem; }
}
</style>"""


def show(model: str | Path | None = None) -> None:
    """Draw the page that the address names.

    Args:
        model: As `fer.ExpressionPipeline` takes it.
    """
    uploads.take_over()
    st.set_page_config(page_title="Facial expressions, live", page_icon="🙂", layout="wide")
    st.html(_STYLE)
    st.html(faces.STYLE + timeline.STYLE)
    pages = [
        st.Page(lambda: live.show(model), title="Live", url_path="live", default=True),
        st.Page(lambda: photo.show(model), title="Photo", url_path="photo"),
        st.Page(lambda: video.show(model), title="Video", url_path="video"),
        st.Page(lambda: how.show(model), title="How it works", url_path="how"),
    ]
    remember(pages)
    page = st.navigation(pages, position="hidden")
    st.title("Facial expressions, live", anchor=False)
    # Links in the page itself: on a phone Streamlit's own navigation hides behind a button.
    with st.container(horizontal=True, key="pages"):
        for other in pages:
            st.page_link(other)
    st.caption(PRIVACY)
    if page is not pages[0]:
        signalling.count_absence()
    try:
        log.set_up()
        page.run()
    except FerError as error:
        st.error(str(error))

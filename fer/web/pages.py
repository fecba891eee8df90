"""Links from one page to another."""

from collections.abc import Iterable

import streamlit as st
from streamlit.navigation.page import StreamlitPage


def remember(pages: Iterable[StreamlitPage]) -> None:
    """Note the pages of this run, for `link`."""
    st.session_state["pages"] = {page.title: page for page in pages}


def link(title: str) -> None:
    """Draw a link to a page.

    Args:
        title: Of the page.
    """
    st.page_link(st.session_state["pages"][title])

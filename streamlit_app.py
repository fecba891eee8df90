"""The browser page.

Start it with ``streamlit run streamlit_app.py``, or with a model of your own:
``streamlit run streamlit_app.py -- --model PATH``.
"""

import argparse

from fer.web import app


def main() -> None:
    """Read the command line and show the page."""
    parser = argparse.ArgumentParser(description="Facial expressions, live, in the browser.")
    parser.add_argument(
        "--model", help="a .tflite file or its folder (default: $FER_MODEL, else the shipped one)"
    )
    app.show(parser.parse_args().model)


main()

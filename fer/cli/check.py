"""The command that says whether faces can be read with what is installed."""

from fer.annotation import describe
from fer.cli.media import Model
from fer.errors import SourceError
from fer.media import open_source
from fer.pipeline import ExpressionPipeline
from fer.web.sample import SAMPLE_VIDEO


def check(model: Model = None) -> None:
    """Read a frame of the sample film: exit code 0 if faces can be read here, 1 if not."""
    pipeline = ExpressionPipeline(model, live=False)
    with open_source(str(SAMPLE_VIDEO)) as source:
        frame, _ = next(iter(source))
    shown = describe(pipeline(frame))
    if not shown:
        raise SourceError(
            f"No face was found in {SAMPLE_VIDEO}, which shows two: install the packages anew."
        )
    print(f"Ready: the sample shows {', '.join(shown)}.")

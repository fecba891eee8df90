"""The command that says whether faces can be read with what is installed."""

from fer.annotation import describe
from fer.command_line import Model
from fer.errors import ModelError, SourceError
from fer.media import open_source
from fer.pipeline import ExpressionPipeline
from fer.sample import SAMPLE_VIDEO


def check(model: Model = None) -> None:
    """Read a frame of the sample as photograph and stream: exit code 0 if faces can be read."""
    with open_source(str(SAMPLE_VIDEO)) as source:
        frame, time_s = next(iter(source))
    for live in (False, True):
        pipeline = ExpressionPipeline(model, live=live)
        try:
            shown = describe(pipeline(frame, time_s))
        except Exception as error:  # whatever it is, the answer is no
            raise ModelError(
                f"The model cannot read a {'stream' if live else 'photograph'} "
                f"({error!r}): try the shipped one, or install the packages anew."
            ) from error
        if not shown:
            raise SourceError(
                f"No face was found in {SAMPLE_VIDEO}, which shows two: install the packages anew."
            )
    print(f"Ready: the sample shows {', '.join(shown)}.")

"""Into the network: what each of its stages makes of a face, from an export made for looking."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer.card import LITERT_FILE, STAGES_FILE, load_card, verify
from fer.classification import open_runner, resolve_model
from fer.errors import ModelError
from fer.preprocessing import network_input

_STAGE = "stage_"


@dataclass(frozen=True)
class StageOutputs:
    """What a network makes of one face on its way.

    Attributes:
        maps: Of each stage, float32 of shape (side, side, channels).
        attention: A map for each expression, whose mean is its logit: float32 of
            shape (6, 6, 7); None if the network has none.
        logits: By class id, float32 of shape (7,).
    """

    maps: tuple[npt.NDArray[np.float32], ...]
    attention: npt.NDArray[np.float32] | None
    logits: npt.NDArray[np.float32]


class NetworkStages:
    """Runs a network and keeps what comes out of its stages. Belongs to one thread.

    Args:
        model: As `fer.classification.resolve_model` takes it; `STAGES_FILE` lies beside it.

    Raises:
        ModelError: That file is missing or damaged.
    """

    def __init__(self, model: str | Path | None = None) -> None:
        path = resolve_model(model).with_name(STAGES_FILE)
        if not path.is_file():
            raise ModelError(
                f"This model comes without the file that shows its stages, {STAGES_FILE}: "
                f"python -m fer export writes it beside {LITERT_FILE}, if the network has stages."
            )
        verify(path, load_card(path.parent))
        self._run, self._input = open_runner(path)

    def __call__(self, face: npt.NDArray[np.uint8]) -> StageOutputs:
        """Run the network on a face.

        Args:
            face: Grey, uint8 of shape (48, 48), as `fer.preprocessing.crop_faces` cuts it.

        Raises:
            ValueError: Another dtype or shape.
        """
        outputs = self._run(**{self._input: network_input(face[np.newaxis])})
        first = {name: output[0] for name, output in outputs.items()}
        stages = sorted((int(name.removeprefix(_STAGE)), name) for name in first if _STAGE in name)
        return StageOutputs(
            maps=tuple(first[name] for _, name in stages),
            attention=first.get("attention"),
            logits=first["logits"],
        )

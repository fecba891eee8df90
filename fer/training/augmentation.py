"""Batches of faces, changed a little each time they are shown."""

import cv2
import keras
import numpy as np
import numpy.typing as npt

from fer.expressions import EXPRESSIONS
from fer.preprocessing import INPUT_SIZE, network_input

ROTATION_DEG = 10.0
SCALE = 0.12
SHIFT = 0.08  # of the face's side
BRIGHTNESS = 30.0  # grey levels
CONTRAST = 0.25
ERASED_SHARE = 0.3
ERASED_SIDE = (0.1, 0.35)  # of the face's side
MIXUP_ALPHA = 0.2
LABEL_SMOOTHING = 0.1


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled batches with random geometry, light, erasing and mixup.

    Mixup (Zhang et al. 2018, arXiv:1710.09412) and random erasing (Zhong et
    al. 2020, arXiv:1708.04896) keep a small network from learning the faces by
    heart; the smoothed labels keep it from more certainty than the data has.

    Args:
        faces: Grey faces, uint8 of shape (n, 48, 48).
        labels: Class ids, shape (n,).
        batch_size: Faces in a batch. The rest that fills none is left out,
            another one each epoch.
        seed: Seed of everything random here.
    """

    def __init__(
        self,
        faces: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.integer],
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._faces = faces
        count = len(EXPRESSIONS)
        self._targets = (
            np.eye(count, dtype=np.float32)[labels] * (1 - LABEL_SMOOTHING)
            + LABEL_SMOOTHING / count
        )
        self._batch_size = min(batch_size, len(faces))
        self._seed = seed
        self.start_at(0)

    def start_at(self, epoch: int) -> None:
        """Begin with this epoch, counted from 0.

        What an epoch holds hangs on the seed and its number only, so that a
        resumed run goes on with what an unbroken one would have seen.
        """
        self._epoch = epoch
        self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._faces))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._faces) // self._batch_size

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the inputs (b, 48, 48, 1) and the targets (b, 7) of one batch."""
        # Keras looks at some batches twice, and ahead: each has its own chance.
        random = np.random.default_rng((self._seed, self._epoch, index))
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        faces = np.stack([augment(self._faces[i], random) for i in chosen])
        return mixup(network_input(faces), self._targets[chosen], random)


def augment(face: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Turn, scale, shift, flip, light and partly erase one grey face of 48×48."""
    angle = random.uniform(-ROTATION_DEG, ROTATION_DEG)
    middle = (INPUT_SIZE - 1) / 2
    scale = 1 + random.uniform(-SCALE, SCALE)
    matrix = np.array(cv2.getRotationMatrix2D((middle, middle), angle, scale), np.float64)
    matrix[:, 2] += random.uniform(-SHIFT, SHIFT, 2) * INPUT_SIZE
    if random.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, INPUT_SIZE - 1], [0, 1, 0], [0, 0, 1]])
    moved = cv2.warpAffine(face, matrix, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    gain = 1 + random.uniform(-CONTRAST, CONTRAST)
    bias = random.uniform(-BRIGHTNESS, BRIGHTNESS) + 128 * (1 - gain)
    levels = np.clip(np.arange(256) * gain + bias, 0, 255).astype(np.uint8)
    lit = np.asarray(cv2.LUT(moved, levels), np.uint8)
    if random.random() < ERASED_SHARE:
        width, height = (random.uniform(*ERASED_SIDE, 2) * INPUT_SIZE).astype(int)
        left, top = random.integers(INPUT_SIZE - width), random.integers(INPUT_SIZE - height)
        lit[top : top + height, left : left + width] = random.integers(256)
    return lit


def mixup(
    inputs: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Blend each face of a batch, and its target, with that of its mirror place in the batch."""
    share = np.float32(random.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    return (
        share * inputs + (1 - share) * inputs[::-1],
        share * targets + (1 - share) * targets[::-1],
    )

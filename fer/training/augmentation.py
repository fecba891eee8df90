"""Batches of faces, changed a little each time they are shown."""

import cv2
import keras
import numpy as np
import numpy.typing as npt

from fer.preprocessing import INPUT_SIZE, network_input

ROTATION_DEG = 10.0
# How far our own detector's boxes stray from FER-2013's frames: `fer.training.framing`.
SHIFT_STD = 0.05  # of the face's side
SCALE_STD = 0.1  # of the scale's logarithm
BRIGHTNESS = 30.0  # grey levels
CONTRAST = 0.25
ERASED_SHARE = 0.3
ERASED_SIDE = (0.1, 0.35)  # of the face's side


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled batches with random geometry, light, erasing and mixup.

    Mixup (Zhang et al. 2018, arXiv:1710.09412) and random erasing (Zhong et
    al. 2020, arXiv:1708.04896) keep a small network from learning the faces by
    heart.

    Args:
        faces: Grey faces, uint8 of shape (n, 48, 48).
        targets: Probabilities of the expressions, float32 of shape (n, 7).
        batch_size: Faces in a batch. The rest that fills none is left out,
            another one each epoch.
        seed: Seed of everything random here.
        change: Show each face changed a little, another way each time.
        mixup_alpha: Both parameters of the beta distribution from which the
            share of a blend is drawn; 0 blends nothing.
    """

    def __init__(
        self,
        faces: npt.NDArray[np.uint8],
        targets: npt.NDArray[np.float32],
        batch_size: int = 64,
        seed: int = 0,
        *,
        change: bool = True,
        mixup_alpha: float = 0.2,
    ) -> None:
        super().__init__()
        self._faces = faces
        self._targets = targets
        self._change = change
        self._mixup_alpha = mixup_alpha
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
        faces, targets = self._faces[chosen], self._targets[chosen]
        if self._change:
            faces = np.stack([augment(face, random) for face in faces])
        if self._mixup_alpha == 0:
            return network_input(faces), targets
        return mixup(network_input(faces), targets, self._mixup_alpha, random)


def augment(face: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Turn, scale, shift, flip, light and partly erase a face.

    Args:
        face: Grey, uint8 of shape (48, 48).
        random: Decides how much of each.

    Returns:
        A face of the same dtype and shape.
    """
    angle = random.uniform(-ROTATION_DEG, ROTATION_DEG)
    middle = (INPUT_SIZE - 1) / 2
    scale = np.exp(random.normal(0, SCALE_STD))
    matrix = np.array(cv2.getRotationMatrix2D((middle, middle), angle, scale), np.float64)
    matrix[:, 2] += random.normal(0, SHIFT_STD, 2) * INPUT_SIZE
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
    alpha: float,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Blend each face of a batch, and its target, with that of its mirror place in the batch.

    Args:
        inputs: As `fer.preprocessing.network_input` makes them, shape (b, 48, 48, 1).
        targets: Probabilities of the expressions, float32 of shape (b, 7).
        alpha: Both parameters of the beta distribution of the share, above 0.
        random: Draws the share, one for the whole batch.

    Returns:
        Inputs and targets of the same dtypes and shapes.
    """
    share = np.float32(random.beta(alpha, alpha))
    return (
        share * inputs + (1 - share) * inputs[::-1],
        share * targets + (1 - share) * targets[::-1],
    )

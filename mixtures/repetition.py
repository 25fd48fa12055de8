"""What a repeated token is worth: tokens seen and unique tokens in, the fresh tokens that would do as much out.

What stays true: a first pass counts in full, every further one less, and no number of them more than 1 + `decay` times
the unique ones (Muennighoff et al. 2023, arXiv:2305.16264, equations 5 and 6). Parameters beyond those that suit the
unique tokens lose their worth by the same formula with another constant.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Fitted to 182 runs of 7M to 9B parameters and up to 1,500 epochs.
TOKENS_DECAY = 15.387756
PARAMETERS_DECAY = 5.309743


def effective(total: ArrayLike, unique: ArrayLike, decay: float = TOKENS_DECAY) -> NDArray[np.float64]:
    """U + U R* (1 - exp(-R / R*)) with R = total / U - 1 repetitions and R* = `decay`; `total` where it is below U.

    Arrays of one shape, or numbers. Raises `ValueError` for what is no positive number.
    """
    total, unique = _positive(total, "tokens"), _positive(unique, "unique tokens")
    repetitions = np.maximum(total / unique - 1, 0)
    return np.minimum(total, unique) - unique * decay * np.expm1(-repetitions / decay)


def needed(effective_tokens: ArrayLike, unique: ArrayLike, decay: float = TOKENS_DECAY) -> NDArray[np.float64]:
    """The inverse: how many tokens to see of `unique` ones to have the worth of so many fresh; infinity for none."""
    worth, unique = _positive(effective_tokens, "effective tokens"), _positive(unique, "unique tokens")
    gained = np.maximum(worth / unique - 1, 0) / decay
    with np.errstate(divide="ignore"):
        repetitions = -decay * np.log1p(-np.minimum(gained, 1))
    return np.minimum(worth, unique) + unique * repetitions


def _positive(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if not np.all(np.isfinite(array) & (array > 0)):
        wrong = array[~(np.isfinite(array) & (array > 0))].flat[0]
        raise ValueError(f"{what}: {wrong:g} is no positive number; count them again, or leave the run out")
    return array

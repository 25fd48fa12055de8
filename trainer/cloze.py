"""Multiple choice by likelihood: how likely a model finds each answer after its query, and how often it is right.

What goes in: options as ids, and what predicts the next one. What comes out: how many items were right, and the bits
per byte of the right answers. What stays true: every id of an answer is predicted exactly once, whatever the batches;
of equally likely answers none is preferred.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mixtures.options import Options, wilson
from trainer.evaluate import IGNORED
from trainer.guard import DivergedError

PADDED = 16  # windows are padded to multiples of it, so that many of one shape go through the model together
# Logits are good to six digits; answers that are nearer than that are one answer, written twice or summed otherwise.
TIE = 1e-6
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class ClozeResult:
    """What was found of `items` items with `tokens` ids; of `cut` options the query did not fit into the context whole.

    `right` counts items whose right answer was the likeliest by byte, one of k equally likely ones as 1/k; `chance` is
    the share that guessing gets right. Both are None where there is nothing to choose from. `bits_per_byte` is that of
    the right answers, all their bits over all their bytes. `loss` is what the target's `measure` says is to fall: that,
    or the share of items that is not right, half an item added on either side.
    """

    items: int
    tokens: int
    right: float | None
    chance: float | None
    bits_per_byte: float
    cut: int
    loss: float

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the share that is right, for items like these."""
        return None if self.right is None else wilson(self.right, self.items)


def measure(
    predict: Callable[[Tensor], Tensor],
    context: int,
    eos_id: int,
    rows: int,
    options: Options,
    most: int | None = None,
    device: torch.device = CPU,
) -> ClozeResult:
    """What a model makes of the items, or of the first that have `most` ids together.

    `predict` gives the logits[rows, width, vocabulary] of ids[rows, width], for widths up to `context`; no more ids go
    through it at once than in `rows` rows of the context. The likeliest answer is that of the most log-likelihood a
    UTF-8 byte (acc_norm of Eleuther's evaluation harness). Raises `DivergedError` where that is no number.
    """
    chosen = options if most is None else options.first(most)
    nats = option_nats(predict, context, eos_id, rows, chosen, device)
    if not np.isfinite(nats).all():
        raise DivergedError(f"training diverged: an answer's loss is {nats[~np.isfinite(nats)][0]} nats")
    per_byte = nats / chosen.text_bytes
    starts = np.flatnonzero(np.diff(chosen.item, prepend=-1))
    counts = np.diff(np.append(starts, len(chosen.item)))
    likeliest = per_byte <= np.repeat(np.minimum.reduceat(per_byte, starts), counts) * (1 + TIE)
    tied = np.repeat(np.add.reduceat(likeliest, starts, dtype=np.int64), counts)
    right = float(((likeliest & chosen.gold) / tied).sum())
    bits = float(nats[chosen.gold].sum() / chosen.text_bytes[chosen.gold].sum() / math.log(2))
    choosing = bool((counts > 1).all())
    return ClozeResult(
        items=chosen.items,
        tokens=len(chosen.ids),
        right=right if choosing else None,
        chance=float((1 / counts).mean()) if choosing else None,
        bits_per_byte=bits,
        cut=int((np.diff(chosen.offsets) > context).sum()),
        # Half an item more on either side: no model is shown to err never, and a law is of numbers above 0.
        loss=bits if chosen.measure == "answer" else (chosen.items - right + 0.5) / (chosen.items + 1),
    )


def option_nats(
    predict: Callable[[Tensor], Tensor],
    context: int,
    eos_id: int,
    rows: int,
    options: Options,
    device: torch.device = CPU,
) -> NDArray[np.float64]:
    """float64[options]: minus the log-likelihood of each answer after an EOS and its query, in nats.

    Of what is longer than the context its end is read, as windows of training text begin anywhere; the ids of an answer
    that is itself longer are predicted a context at a time.
    """
    total = np.zeros(len(options.item))
    with torch.inference_mode():
        for width, windows in _batches(_windows(options, context), context, rows):
            inputs, targets = _arrays(options, windows, width, eos_id)
            # Few places are scored, and a softmax over the vocabulary at all of them costs a third of a small model.
            scored = targets != IGNORED
            logits = predict(torch.from_numpy(inputs).to(device))[torch.from_numpy(scored).to(device)]
            wanted = torch.from_numpy(targets[scored]).to(device)
            losses = np.zeros(targets.shape)
            losses[scored] = F.cross_entropy(logits, wanted, reduction="none").cpu().numpy()
            np.add.at(total, [window.option for window in windows], losses.sum(1))
    return total


@dataclass(frozen=True, slots=True)
class _Window:
    """Ids of an option that are read together: with its EOS at place 0, those from `begin` to before `end`.

    They predict the ids at the same offsets without the EOS, of which the last `scored` count.
    """

    option: int
    begin: int
    end: int
    scored: int

    @property
    def length(self) -> int:
        return self.end - self.begin


def _windows(options: Options, context: int) -> Iterator[_Window]:
    lengths = np.diff(options.offsets).tolist()
    for option, (length, answer) in enumerate(zip(lengths, options.answer.tolist(), strict=True)):
        for start in range(length - answer, length, context):
            end = min(start + context, length)
            yield _Window(option, max(0, end - context), end, end - start)


def _batches(windows: Iterator[_Window], context: int, rows: int) -> Iterator[tuple[int, list[_Window]]]:
    """Windows of about one length together, the longest first, and the width that they are padded to."""
    by_width: dict[int, list[_Window]] = {}
    for window in windows:
        width = min(context, -(-window.length // PADDED) * PADDED)
        by_width.setdefault(width, []).append(window)
    for width, own in sorted(by_width.items(), reverse=True):
        count = rows * max(1, context // width)
        yield from ((width, own[first : first + count]) for first in range(0, len(own), count))


def _arrays(
    options: Options, windows: list[_Window], width: int, eos_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets, int64[windows, width]; what stands behind a window is not seen from within it."""
    inputs = np.full((len(windows), width), eos_id, np.int64)
    targets = np.full((len(windows), width), IGNORED, np.int64)
    for row, window in enumerate(windows):
        first, length = options.offsets[window.option], window.length
        read = options.ids[first + max(0, window.begin - 1) : first + window.end - 1]
        inputs[row, length - len(read) : length] = read
        targets[row, length - window.scored : length] = options.ids[first + window.end - window.scored :][
            : window.scored
        ]
    return inputs, targets

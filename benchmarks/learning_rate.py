"""Where the best learning rate is at several widths, with muP (`model.base_width`) and without: what may be carried
over from a small model to a large one.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import token_folders
from benchmarks.inputs import EOS, Inputs
from benchmarks.results import Table
from kernels.texts import Texts
from mixtures import json_tokenizer
from mixtures.json_tokenizer import JsonTokenizer
from mixtures.token_shards import ShardEntry, Split, TokenShards, write_shard
from trainer.batches import Batches
from trainer.config import Model, Optimizer, Training
from trainer.evaluate import model_nats, validate
from trainer.guard import DivergedError
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.world import alone

# So few that a few hundred steps get well below what frequencies alone give.
ENTRIES = 512
BASE, WIDER = 64, (128, 256)
LAYERS, CONTEXT, BATCH, STEPS = 2, 64, 8, 200
# A factor of 2 apart, around the optimum of the width BASE.
RATES = tuple(2.0**exponent for exponent in (-12, -11, -10, -9, -8, -7))
SEEDS = 3
HELD_OUT, HELD_OUT_TOKENS = 20, 16_384
BEST, LOST = "best rate", f"lost by the rate of {BASE}"
COLUMNS = {**{f"{rate:.4f}": ".3f" for rate in RATES}, BEST: ".4f", LOST: ".3f"}
# Nats a token that carrying the rate over may cost at the widest: more, and it is no rule to go by.
MOST_LOST = 0.05


def run(inputs: Inputs) -> list[Table]:
    shards = TokenShards.open(_shards(inputs.folder / "learning-rate", inputs.all_english))
    curves = {str(BASE): _curve(shards, BASE, None)}
    for width in WIDER:
        curves[f"{width}"] = _curve(shards, width, None)
        curves[f"{width}, muP"] = _curve(shards, width, BASE)
    found = optimum(curves[str(BASE)])
    rows = {name: {**_cells(curve), BEST: optimum(curve), LOST: lost(curve, found)} for name, curve in curves.items()}
    best = min(curves[str(BASE)], key=lambda rate: curves[str(BASE)][rate])
    spread = np.std([_loss(shards, BASE, None, best, seed) for seed in range(SEEDS)], ddof=1)
    slope = np.polyfit(np.log([BASE, *WIDER]), np.log([rows[str(width)][BEST] for width in (BASE, *WIDER)]), 1)[0]
    note = (
        f"Held-out loss, nats a token, after {STEPS} steps of {BATCH} x {CONTEXT} tokens of English pages "
        f"({ENTRIES:,} entries), {LAYERS} layers, by width and learning rate, one seed each; the standard deviation "
        f"over {SEEDS} seeds at {BASE} is {spread:.3f}. The best rate is that of a parabola through the lowest loss "
        f"and its neighbours; the last column is the loss at the best rate of {BASE} over the lowest, on the same "
        f"curve. Without muP the best rate goes as width^{slope:.2f} here."
    )
    name = f"{WIDER[-1]}, muP"
    failed = [f"{name}: {rows[name][LOST]:.3f} nats lost by the rate of {BASE}"] if rows[name][LOST] > MOST_LOST else []
    return [Table("Learning rate by width", note, COLUMNS, rows, failed)]


def optimum(curve: Mapping[float, float]) -> float:
    """The rate of the lowest loss, between those that were tried; the end of them where it lies there."""
    rates, losses = list(curve), list(curve.values())
    lowest = int(np.argmin(losses))
    if lowest in (0, len(rates) - 1) or not all(map(math.isfinite, losses[lowest - 1 : lowest + 2])):
        return rates[lowest]
    square, slope, _ = np.polyfit(np.log(rates[lowest - 1 : lowest + 2]), losses[lowest - 1 : lowest + 2], 2)
    return float(np.exp(-slope / (2 * square)))


def lost(curve: Mapping[float, float], rate: float) -> float:
    """Loss at `rate` over the lowest that was measured, by lines between the rates that were tried."""
    losses = np.array(list(curve.values()))
    return float(np.interp(math.log(rate), np.log(list(curve)), losses) - losses.min())


def _cells(curve: Mapping[float, float]) -> dict[str, float]:
    return {f"{rate:.4f}": loss for rate, loss in curve.items()}


def _curve(shards: TokenShards, width: int, base: int | None) -> dict[float, float]:
    return {rate: _loss(shards, width, base, rate, 0) for rate in RATES}


def _loss(shards: TokenShards, width: int, base: int | None, rate: float, seed: int) -> float:
    """Held-out nats a token in the end; infinite where training diverged."""
    # Heads are of 32 at all widths, with muP or without.
    model = Model(layers=LAYERS, width=width, context=CONTEXT, heads=width // 32, base_width=base)
    config = Training(model=model, optimizer=Optimizer(learning_rate=rate), steps=STEPS, batch=BATCH)
    with reproducible(seed, threads=1):
        world = alone()
        loop = Loop(config, shards.manifest.vocabulary_size, Batches(shards, CONTEXT, BATCH, 0), world)
        try:
            for _ in loop.losses(STEPS):
                pass
        except DivergedError:
            return math.inf
        found = validate(shards, model_nats(loop.predict, CONTEXT, shards.manifest.eos_id, 16, world), HELD_OUT_TOKENS)
    assert found is not None
    return found.overall.nats_per_token


def _shards(folder: Path, texts: Sequence[str]) -> str:
    """The texts as ids, one in `HELD_OUT` of them held out."""
    definition = json_tokenizer.train(iter(texts), ENTRIES, EOS).to_str().encode()
    tokenizer = JsonTokenizer(definition, "tokenizer.json", EOS)

    def written(split: Split, own: Sequence[str]) -> ShardEntry:
        ids, starts = tokenizer.encode_batch(Texts.of(own))
        documents = np.split(ids, starts[1:-1])
        size = sum(len(text.encode()) for text in own)
        return write_shard(str(folder), "web", 0, documents, size, vocabulary=tokenizer.vocabulary, split=split)

    training = [text for number, text in enumerate(texts) if number % HELD_OUT]
    entries = [written("train", training), written("validation", texts[::HELD_OUT])]
    return token_folders.finish(folder, entries, tokenizer.vocabulary, EOS, definition)

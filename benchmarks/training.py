"""A whole training run against a bare loop: what loading, logging and determinism cost."""

import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks import token_folders
from benchmarks.inputs import Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import Rounds, all_cores
from mixtures.token_shards import Vocabulary
from trainer.config import Model, Run
from trainer.gpt import GPT
from trainer.loop import gpt_config
from trainer.train import train
from trainer.world import alone

VOCABULARY = Vocabulary(size=8192, eos_id=0)
# Short turns, so that what else the machine does falls on both sides.
STEPS, TURNS = 12, 2
# As the bare loop is, on a GPU too.
EAGER: dict[str, Any] = {"precision": "float32", "compile": False}
SIZES = {
    "4 x 128, context 256": Run(model=Model(), steps=STEPS, **EAGER),
    "4 x 256, context 256": Run(model=Model(width=256), steps=STEPS, batch=4, **EAGER),
}
COLUMNS = {"crawlmill, tokens/s": ",.0f", "bare loop, tokens/s": ",.0f", "ratio": ".3f", **SPREAD}
LEAST = 0.95


def run(inputs: Inputs) -> list[Table]:
    rows = {}
    with tempfile.TemporaryDirectory(prefix="crawlmill-training-") as name, all_cores():
        data = token_folders.random(Path(name) / "tokens", ["train"], 2000, VOCABULARY)
        for title, config in SIZES.items():
            ours, bare = Rounds[None](), Rounds[None]()
            for number in range(TURNS * inputs.repeats):
                ours.seconds.append(_ours(data, Path(name) / f"{title} {number}", config))
                bare.seconds.append(_bare(config))
            tokens = config.batch * config.model.context
            rows[title] = {
                "crawlmill, tokens/s": tokens / ours.median,
                "bare loop, tokens/s": tokens / bare.median,
                "ratio": bare.median / ours.median,
                "slowest/fastest": max(ours.spread, bare.spread),
            }
    note = (
        f"Tokens a second by the median step of turns of {STEPS} steps, on all cores. crawlmill: `train` with mapped "
        "shards, a row of losses a step and deterministic algorithms; by default there is one checkpoint in 500 steps, "
        "and so none here. Bare loop: the same model on random ids, gradients clipped, AdamW, nothing else."
    )
    slow = [
        f"{title}: {row['ratio']:.3f} of a bare loop's speed" for title, row in rows.items() if row["ratio"] < LEAST
    ]
    return [Table("Training", note, COLUMNS, rows, slow)]


def _ours(data: str, out: Path, config: Run) -> float:
    """Seconds of the median step but for the first, all that lies between two steps included."""
    ends: list[float] = []
    train(data, str(out), config, 0, alone(), show=lambda _: ends.append(time.perf_counter()))
    return statistics.median(later - before for before, later in itertools.pairwise(ends))


def _bare(config: Run) -> float:
    device = alone().device
    torch.set_num_threads(os.cpu_count() or 1)
    model = GPT(gpt_config(config, VOCABULARY.size)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    ids = torch.randint(VOCABULARY.size, (config.batch, config.model.context + 1), device=device)
    ends: list[float] = []
    for _ in range(config.steps):
        logits = model(ids[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip)
        optimizer.step()
        optimizer.zero_grad()
        # The clock is read when the device is done.
        loss.item()
        ends.append(time.perf_counter())
    return statistics.median(later - before for before, later in itertools.pairwise(ends))

"""Trials of a mixture two at a time, against one after the other: whether training in parallel uses the machine."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import token_folders
from benchmarks.inputs import Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import Rounds, all_cores
from mixtures.token_shards import Vocabulary
from pipeline import steps, trials
from pipeline.cluster import Cluster, Needs
from pipeline.steps import Counts, Step, Task
from pipeline.trials import Measure, Planned
from trainer.config import Model, Training

VOCABULARY = Vocabulary(size=4096, eos_id=0)
TRIALS, TOKENS = 4, 16_384
SIZES = {
    "2 x 96, context 128": Training(model=Model(layers=2, width=96, context=128), steps=60),
    "4 x 128, context 256": Training(model=Model(), steps=30),
}
COLUMNS = {"one at a time, s": ".1f", "two at a time, s": ".1f", "ratio": ".3f", **SPREAD}
MOST = 0.6


def run(inputs: Inputs) -> list[Table]:
    rows, failures = {}, []
    pool = Step("pool", write_pool)
    where = Measure(pool, pool, None, TOKENS)
    with tempfile.TemporaryDirectory(prefix="crawlmill-trials-") as root, all_cores():
        with Cluster(0) as here:
            list(steps.execute(root, pool, here))
        for title, training in SIZES.items():
            seeds = itertools.count()
            one, threaded, two = Rounds[None](), Rounds[None](), Rounds[None]()
            for _ in range(inputs.repeats):
                one.seconds.append(_seconds(root, where, training, seeds, 1, Needs()))
                two.seconds.append(_seconds(root, where, training, seeds, 2, Needs()))
                threaded.seconds.append(_seconds(root, where, training, seeds, 2, Needs(cores=2)))
            for name, other in ((f"{title}; each on one core", one), (f"{title}; one on both cores", threaded)):
                ratio = two.median / other.median
                spread = max(other.spread, two.spread)
                seconds = {"one at a time, s": other.median, "two at a time, s": two.median}
                rows[name] = {**seconds, "ratio": ratio, "slowest/fastest": spread}
            if (ratio := two.median / one.median) > MOST:
                failures.append(f"{title}: two trials at a time take {ratio:.3f} of the time of one after the other")
    note = (
        f"Seconds for {TRIALS} trials on two cores through Ray, which runs already. Two at a time have a core each. "
        "Second row of each size: one after the other, with both cores for each."
    )
    return [Table("Trials in parallel", note, COLUMNS, rows, failures)]


def write_pool(task: Task) -> Counts:
    """Random ids, as no loss is looked at."""
    token_folders.random(Path(task.out), ["train", "validation"], 400, VOCABULARY)
    return {}


def _seconds(root: str, where: Measure, training: Training, seeds: Iterator[int], workers: int, needs: Needs) -> float:
    """Of trials that nobody has run, once Ray's workers have torch in memory."""

    def planned(count: int) -> list[Planned]:
        made = []
        for _ in range(count):
            seed = next(seeds)
            step = trials.trial_step(where, training, {"random": 1.0}, seed, keep=1.0, needs=needs)
            made.append(Planned("random", "", {"random": 1.0}, seed, step))
        return made

    with Cluster(workers) as cluster:
        trials.run(root, planned(workers), cluster, needs, lambda _: None)
        start = time.perf_counter()
        trials.run(root, planned(TRIALS), cluster, needs, lambda _: None)
        return time.perf_counter() - start

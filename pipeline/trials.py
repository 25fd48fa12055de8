"""Trials as steps: each small training run is one, kept under the hash of all that it depends on.

    pool ──► trial        pool of another recipe ──► trial
    targets ──┘                pool (held-out text) ──┘

What goes in: where the tokens are, and what is to be trained on which mixture. What comes out, in the step's counts:
the losses. What stays true: a trial that is done is never run again, whatever else is changed or killed; a trial that
diverged is done, and says so.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus import storage
from pipeline import steps
from pipeline.cluster import Cluster, Needs
from pipeline.steps import Counts, Step, Task
from trainer.config import Training

if TYPE_CHECKING:
    from trainer.trial import Trial

TRIAL = "trial"


@dataclass(frozen=True)
class Measure:
    """Where the tokens to train on and to measure on are: steps that write token shards."""

    pool: Step
    heldout: Step
    targets: Step | None
    tokens: int

    def inputs(self) -> dict[str, Step]:
        found = {"pool": self.pool, "heldout": self.heldout}
        return {**found, "targets": self.targets} if self.targets else found


@dataclass(frozen=True)
class Planned:
    """A trial to be run: its name, which its results do not depend on, and the step that runs it."""

    name: str
    size: str
    shares: Mapping[str, float]
    seed: int
    step: Step


def trial_step(
    where: Measure, training: Training, shares: Mapping[str, float], seed: int, *, keep: float, needs: Needs
) -> Step:
    """The step of one trial; on a GPU its share of it changes nothing, on cores their number changes last bits."""
    params = {
        "training": training.model_dump(),
        "shares": {source: shares[source] for source in sorted(shares)},
        "seed": seed,
        "keep": keep,
        "measured_tokens": where.tokens,
        "device": "gpu" if needs.gpus else {"cores": needs.cores},
    }
    return Step(TRIAL, train, params, where.inputs())


def train(task: Task) -> Counts:
    """The trial step. torch is imported when it runs and not before, since nothing else needs it."""
    from mixtures.options import Options
    from mixtures.token_shards import TokenShards
    from trainer.trial import Texts, run_trial

    trial = trial_of(task.params, task.params["keep"])
    shards = [TokenShards.open(task.inputs["heldout"])]
    questions = {}
    if targets := task.inputs.get("targets"):
        shards.append(TokenShards.open(targets))
        kinds = storage.read_json(storage.join(targets, "step.json"))["counts"]["targets"]
        questions = {name: Options.load(targets, name) for name, kind in kinds.items() if "options" in kind}
    result = run_trial(TokenShards.open(task.inputs["pool"]), Texts(tuple(shards), questions), trial, task.report)
    return {TRIAL: result}


def trial_of(params: Mapping[str, Any], keep: float) -> "Trial":
    """What a step's parameters say is trained, on the first `keep` of each source's tokens."""
    from trainer.trial import Trial

    gpu = params["device"] == "gpu"
    return Trial(
        config=Training.model_validate(params["training"]),
        shares=params["shares"],
        seed=params["seed"],
        keep=keep,
        threads=1 if gpu else params["device"]["cores"],
        gpu=gpu,
        most=params["measured_tokens"],
    )


def result_of(root: str, planned: Planned) -> dict[str, Any]:
    """One line of trials.jsonl: what was trained, by its name and the hash of its step, and what came of it."""
    params = planned.step.params
    return {
        "trial": planned.step.key[:12],
        "name": planned.name,
        "size": planned.size,
        "seed": planned.seed,
        "shares": dict(planned.shares),
        "keep": params["keep"],
        **steps.counts_of(root, planned.step)[TRIAL],
    }


def seconds_of(root: str, planned: Planned) -> float:
    """What the trial took, by the clock of the process that trained it."""
    return float(steps.timing_of(root, planned.step)["task_seconds"])


def are_done(root: str, planned: Sequence[Planned]) -> bool:
    return all(steps.is_done(root, each.step) for each in planned)


@dataclass(frozen=True)
class Standing:
    """How far trials are: the places of those that are done, `before` this run or in it, and shares of those under way.

    `seconds` are those since the first began.
    """

    trials: Sequence[Planned]
    done: frozenset[int]
    before: frozenset[int]
    under_way: Mapping[int, float]
    seconds: float


def run(root: str, trials: Sequence[Planned], cluster: Cluster, needs: Needs, show: Callable[[Standing], None]) -> None:
    """Run the trials that are not done, as many at a time as fit; the steps they need are done already.

    Two of one step (another name for the same trial) are run once.
    """
    start = time.monotonic()
    stale = {step.key for step in steps.stale(root, [planned.step for planned in trials])}
    places: dict[str, list[int]] = {}
    for place, planned in enumerate(trials):
        places.setdefault(planned.step.key, []).append(place)
    before = frozenset(place for key, own in places.items() if key not in stale for place in own)
    show(Standing(trials, before, before, {}, 0.0))
    todo = [trials[own[0]].step for key, own in places.items() if key in stale]
    for done, under_way in steps.together(root, todo, cluster, needs):
        finished = frozenset(place for n in done for place in places[todo[n].key])
        shares = {places[todo[n].key][0]: share for n, share in under_way.items()}
        show(Standing(trials, before | finished, before, shares, time.monotonic() - start))

"""A scaling law from a recipe to its runs: which sizes are trained for how long, and what each came to.

    pool ──► scaling (one run of each size, measured at several lengths)

What goes in: a recipe and a run's folder. What comes out: a line for each size and length. What stays true: a run that
is done is never trained again; where tokens repeat, a line says what they are worth, source by source; a length that a
run diverged before is named and has no loss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from corpus.strict import RecipeError
from mixtures import plan, scaling_plan
from mixtures.repetition import TOKENS_DECAY, effective
from mixtures.scaling_plan import Family, PlannedRun
from mixtures.token_shards import TokenShards, read_manifest
from pipeline import steps, trials
from pipeline.cluster import Cluster, Needs
from pipeline.plots import power, short
from pipeline.pool import Pool, pool_of, unique_tokens
from pipeline.recipe import Recipe
from pipeline.run import run_steps
from pipeline.scaling.recipe import Scaling
from pipeline.scaling.schema import Allocated
from pipeline.steps import Counts, Progress, Step, Task
from pipeline.trials import Planned

SCALING = "scaling"
UNIT = "bits per byte"


@dataclass(frozen=True)
class Study:
    """A recipe's scaling runs over its pool. `unique` are each source's tokens to train on, once."""

    recipe: Recipe
    scaling: Scaling
    root: str
    pool: Pool
    unique: Mapping[str, int]
    vocabulary: int

    @property
    def needs(self) -> Needs:
        return Needs(self.scaling.cores, self.scaling.gpus)

    @property
    def shares(self) -> dict[str, float]:
        """Of each source in the mixture; together 1."""
        assert self.recipe.mixture
        mixture = self.scaling.mixture
        if mixture == "natural":
            return _normalised(self.unique)
        asked = plan.wanted(self.unique, self.recipe.mixture) if mixture == "recipe" else mixture
        return _normalised({source: asked.get(source, 0.0) for source in self.unique})

    @property
    def weights(self) -> dict[str, float]:
        """What each source's bits per byte count in the loss; together 1."""
        weights = self.scaling.weights or self.shares
        return _normalised({source: weights.get(source, 0.0) for source in self.unique})

    @cached_property
    def runs(self) -> list[PlannedRun]:
        """The sizes, smallest first. Raises `RecipeError` for a budget that is too small for a law."""
        family = Family(self.vocabulary, self.scaling.training.context)
        try:
            return scaling_plan.plan(self.scaling.flops, family, self.scaling.training.step_tokens, self.scaling.ratios)
        except ValueError as error:
            raise RecipeError(f"scaling.flops: {error}") from error

    def planned(self) -> list[Planned]:
        """The runs as steps, largest first, so that the longest does not begin when all others are done."""
        base = self.scaling.training.base_width or min(run.width for run in self.runs)
        return [self._planned(run, base) for run in reversed(self.runs)]

    def _planned(self, run: PlannedRun, base_width: int) -> Planned:
        told = self.scaling.training
        lengths = [horizon // told.step_tokens for horizon in run.horizons]
        params = {
            "training": told.training(run.layers, run.width, base_width, lengths[-1]).model_dump(),
            "horizons": lengths,
            "warmup_steps": told.warmup_steps(run.parameters),
            "shares": {source: self.shares[source] for source in sorted(self.shares)},
            "seed": self.recipe.seed,
            "measured_tokens": self.scaling.measured_tokens,
            "device": "gpu" if self.needs.gpus else {"cores": self.needs.cores},
        }
        step = Step(SCALING, train, params, {"pool": self.pool.step})
        size = f"{short(run.parameters)} parameters"
        return Planned(size_name(run.layers, run.width), size, self.shares, self.recipe.seed, step)

    def epochs(self, tokens: float) -> dict[str, float]:
        """How often so many tokens of the mixture take each source's."""
        return {source: self.shares[source] * tokens / there for source, there in self.unique.items()}


def prepare(
    recipe: Recipe, root: str, cluster: Cluster, show: Callable[[Progress], None], say: Callable[[str], None]
) -> Study:
    """Run the steps up to the pool, where they are not done.

    Raises `RecipeError` before anything starts for a recipe without `scaling`, and `ValueError` for sources that
    nothing can be trained or measured on.
    """
    if recipe.scaling is None:
        raise RecipeError("this recipe has no scaling: give scaling.flops, the budget of all runs together")
    pool = pool_of(recipe)
    run_steps(root, pool.steps, cluster, show, say)
    vocabulary = read_manifest(steps.folder(root, pool.step)).vocabulary_size
    return Study(recipe, recipe.scaling, root, pool, unique_tokens(root, pool), vocabulary)


def train(task: Task) -> Counts:
    """The step of one size. torch is imported when it runs and not before, since nothing else needs it."""
    from trainer.horizon_trial import run_horizons
    from trainer.trial import Texts

    params = task.params
    trial = trials.trial_of(params, keep=1.0)
    pool = TokenShards.open(task.inputs["pool"])
    return {SCALING: run_horizons(pool, Texts((pool,)), trial, params["horizons"], params["warmup_steps"], task.report)}


def outcome(study: Study, planned: Planned) -> str:
    """What a run that is done came to at its longest, in words."""
    last = steps.counts_of(study.root, planned.step)[SCALING]["horizons"][-1]
    return f"diverged: {last['diverged']}" if last["diverged"] else f"loss {_loss(last['losses'], study.weights):.4f}"


def lines(study: Study) -> list[dict[str, Any]]:
    """The lines of runs.jsonl, by size and length, of runs that are all done.

    `flops` are those of a run of that length alone. `unique` is None where nothing repeats, and else the tokens that a
    single source would have to have for the same `tokens` to be worth the same `effective_tokens`.
    """
    found = []
    for planned in reversed(study.planned()):
        result = steps.counts_of(study.root, planned.step)[SCALING]
        model = planned.step.params["training"]["model"]
        for horizon in result["horizons"]:
            worth = effective_tokens(study, horizon["tokens"])
            found.append(
                {
                    "run": planned.step.key[:12],
                    "name": planned.name,
                    "layers": model["layers"],
                    "width": model["width"],
                    "seed": planned.seed,
                    "parameters": result["parameters"],
                    "flops": float(result["flops_per_token"] * horizon["tokens"]),
                    "effective_tokens": worth,
                    "unique": as_one_source(horizon["tokens"], worth),
                    "loss": None if horizon["diverged"] else _loss(horizon["losses"], study.weights),
                    **{key: value for key, value in horizon.items() if key != "answers"},
                }
            )
    return found


def effective_tokens(study: Study, tokens: float) -> float:
    """What so many tokens of the mixture are worth, where sources repeat: each source's own tokens, added up."""
    shares = {source: share for source, share in study.shares.items() if share}
    return float(sum(effective(share * tokens, study.unique[source]) for source, share in shares.items()))


def as_one_source(tokens: int, worth: float) -> int | None:
    """The unique tokens of which `tokens` are worth so much; None where nothing repeats."""
    from scipy.optimize import brentq

    if worth > tokens * (1 - 1e-9):
        return None
    # Fewer could not be worth it however often they came, and of so many none would repeat before.
    least = worth / (1 + TOKENS_DECAY)
    found: float = brentq(lambda unique: float(effective(tokens, unique)) - worth, least, worth)
    return round(found)


def seconds(study: Study) -> dict[str, float]:
    """What each run takes, by its name: measured where it is done, by its FLOPs where another one is, else unknown."""
    planned = {each.name: each for each in study.planned()}
    flops = {size_name(run.layers, run.width): run.flops for run in study.runs}
    done = {n: trials.seconds_of(study.root, p) for n, p in planned.items() if steps.is_done(study.root, p.step)}
    if not done:
        return {}
    a_flop = sum(done.values()) / sum(flops[name] for name in done)
    return {name: done.get(name, a_flop * flops[name]) for name in planned}


def short_of_text(study: Study, allocations: Sequence[Allocated]) -> list[str]:
    """Warnings where the best number of tokens is more than the sources have."""
    said = []
    # Where the best is not known, nothing is too little for it.
    for each in (each for each in allocations if each["determined"]):
        epochs = study.epochs(each["tokens"]["value"])
        most = max(epochs, key=lambda source: epochs[source])
        if epochs[most] > 1:
            said.append(
                f"for {power(each['flops'])} FLOPs {short(each['tokens']['value'])} tokens are best if none repeats; "
                f"of this mixture they are {epochs[most]:,.1f} epochs of {most}"
            )
    return said


def size_name(layers: int, width: int) -> str:
    return f"{layers} x {width}"


def _loss(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weight * losses[source] for source, weight in weights.items())


def _normalised(values: Mapping[str, float]) -> dict[str, float]:
    total = sum(values.values())
    return {name: value / total for name, value in values.items()}

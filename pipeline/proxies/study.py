"""Proxies from a recipe to trials: the pool, the mixtures to try, and a trial of each.

What goes in: a recipe and a run's folder. What comes out: what is to be trained, and what came of it. What stays true:
a trial stands for the recipe's target run: it takes of each source so small a part that it repeats it as often as that
run will; a trial that diverged is named and counts nowhere.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.strict import RecipeError
from mixtures import law, plan, proposals
from mixtures.proposals import Proposal
from pipeline import trials
from pipeline.cluster import Cluster, Needs
from pipeline.pool import Pool, pool_of, unique_tokens
from pipeline.proxies.recipe import Proxies, same_mixture
from pipeline.proxies.targets import targets_step
from pipeline.recipe import Recipe
from pipeline.run import run_steps
from pipeline.steps import Progress, Step
from pipeline.trials import Measure, Planned
from trainer.config import Training


@dataclass(frozen=True)
class Study:
    """A recipe's proxies over its pool. `caps` are the shares that mixture.max_epochs leaves each source at most."""

    recipe: Recipe
    proxies: Proxies
    root: str
    pool: Pool
    targets: Step | None
    unique: Mapping[str, int]
    target_tokens: int

    @property
    def sources(self) -> list[str]:
        return list(self.unique)

    @property
    def measured(self) -> list[str]:
        """Sources and targets, each of which has a loss."""
        return [*self.sources, *sorted(self.proxies.targets)]

    @property
    def key(self) -> str:
        """Names what trials are trained and judged by; two studies of one key can be shown side by side."""
        known = {
            "pool": self.pool.step.key,
            "targets": self.targets.key if self.targets else None,
            "training": self.proxies.training.model_dump(),
            "weights": self.proxies.weights_of(self.measured),
            "target_tokens": self.target_tokens,
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    @property
    def needs(self) -> Needs:
        return Needs(self.proxies.cores, self.proxies.gpus)

    @property
    def caps(self) -> dict[str, float]:
        assert self.recipe.mixture
        epochs = {source: self.recipe.mixture.cap(source) for source in self.unique}
        return proposals.share_caps(self.unique, epochs, self.target_tokens, self.proxies.floor)

    def keep(self, training: Training) -> float:
        """The part of each source that a trial of so many tokens takes."""
        tokens = training.steps * training.batch * training.model.context
        return min(1.0, tokens / self.target_tokens)

    def trial(
        self, name: str, training: Training, shares: Mapping[str, float], seed: int, pool: Pool | None = None
    ) -> Planned:
        """A trial on the recipe's pool or on another one, measured on the recipe's held-out text either way."""
        where = Measure((pool or self.pool).step, self.pool.step, self.targets, self.proxies.measured_tokens)
        step = trials.trial_step(where, training, shares, seed, keep=self.keep(training), needs=self.needs)
        return Planned(name, size_name(training), shares, seed, step)


def prepare(
    recipe: Recipe, root: str, cluster: Cluster, show: Callable[[Progress], None], say: Callable[[str], None]
) -> Study:
    """Run the steps up to the pool and the encoded targets, where they are not done.

    Raises `RecipeError` before anything starts for a recipe without a mixture, and `ValueError` for sources that
    nothing can be trained or measured on.
    """
    proxies = recipe.proxies or Proxies()
    pool = pool_of(recipe)
    targets = targets_step(proxies.targets, pool.tokenizer, "proxies.targets") if proxies.targets else None
    run_steps(root, [*pool.steps, *([targets] if targets else [])], cluster, show, say)
    unique = unique_tokens(root, pool)
    return Study(recipe, proxies, root, pool, targets, unique, _target_tokens(recipe, proxies, unique))


def _target_tokens(recipe: Recipe, proxies: Proxies, unique: Mapping[str, int]) -> int:
    assert recipe.mixture
    planned = sum(p.wanted for p in plan.plan(unique, recipe.mixture).values())
    return proxies.target_tokens or recipe.mixture.tokens or planned


def propose(study: Study) -> list[Proposal]:
    """The mixtures to train on, within floor and caps; the recipe's own one is among them where it is another.

    Raises `RecipeError` where the mixture has one source, and `ValueError` where trials of them would tell nothing.
    """
    if len(study.unique) < 2:
        raise RecipeError(f"the mixture has one source, {', '.join(study.unique)}: there is nothing to choose")
    proxies = study.proxies
    assert study.recipe.mixture
    asked = plan.wanted(study.unique, study.recipe.mixture)
    named = {"recipe": asked, **proxies.mixtures}
    # The recipe's own may be one of those that have a name already.
    if any(same_mixture(asked, shares) for shares in proxies.mixtures.values()):
        named = dict(proxies.mixtures)
    found = proposals.proposals(
        study.unique,
        study.caps,
        named,
        count=proxies.trials or proposals.default_count(len(study.unique)),
        floor=proxies.floor,
        seed=study.recipe.seed,
        temperature=proxies.temperature,
    )
    _refuse_hopeless(study, found)
    return found


def _refuse_hopeless(study: Study, mixtures: Sequence[Proposal]) -> None:
    """Raises `ValueError` for mixtures that no law with intervals can be fitted to, and for rows that no source fills:
    all that would otherwise be known when the trials are paid for."""
    least = len(study.unique) + 2
    if len(mixtures) < least:
        raise ValueError(
            f"{len(mixtures)} different mixtures within floor and caps, and a law of {len(study.unique)} sources with "
            f"intervals takes {least}: raise proxies.trials or mixture.max_epochs, or lower proxies.floor"
        )
    shares = np.array([[mixture.shares[source] for source in study.sources] for mixture in mixtures])
    law.check_mixtures(shares, study.sources, [mixture.name for mixture in mixtures])
    for training in (study.proxies.training, study.proxies.larger()):
        for source, tokens in study.unique.items():
            if tokens <= training.model.context:
                raise ValueError(
                    f"{source} has {tokens:,} tokens to train on, and a row of {size_name(training)} takes "
                    f"{training.model.context:,} and one more: lower model.context, or leave the source out"
                )


def trials_of(study: Study, mixtures: Sequence[Proposal]) -> list[Planned]:
    """A trial of each: all of one seed, so that they begin with the same weights and differ in the mixture alone."""
    return [study.trial(m.name, study.proxies.training, m.shares, study.recipe.seed) for m in mixtures]


def verification_of(study: Study, mixtures: Sequence[Proposal]) -> list[Planned]:
    """Trials of each mixture with seeds that no earlier trial had, at both sizes."""
    seeds = [study.recipe.seed + 1 + n for n in range(study.proxies.verify.seeds)]
    return [
        study.trial(m.name, training, m.shares, seed)
        for training in (study.proxies.training, study.proxies.larger())
        for m in mixtures
        for seed in seeds
    ]


def size_name(training: Training) -> str:
    return f"{training.model.layers} x {training.model.width}, {training.steps:,} steps"


def lines(study: Study, planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """The results of trials that are done, one line each, with the weighted sum that mixtures are compared by."""
    weights = study.proxies.weights_of(study.measured)
    found = [trials.result_of(study.root, each) for each in planned]
    return [{**line, "objective": objective(line, weights)} for line in found]


def outcome(study: Study, planned: Planned) -> str:
    """What a trial that is done came to, in words."""
    (line,) = lines(study, [planned])
    return f"diverged: {line['diverged']}" if line["diverged"] else f"weighted loss {line['objective']:.4f}"


def objective(line: Mapping[str, Any], weights: Mapping[str, float]) -> float | None:
    """None for a trial that diverged."""
    return None if line["diverged"] else sum(w * line["losses"][name] for name, w in weights.items() if w)

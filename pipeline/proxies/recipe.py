"""What a recipe says of its proxies: small models that tell mixtures apart before a large one is paid for.

What goes in: the recipe's `proxies`. What stays true: whatever can be known to be wrong before a text is read is
refused here, with its key.
"""

import itertools
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from corpus.strict import Count, Strict, unknown
from mixtures.mixture import Weight
from mixtures.proposals import RANDOM, SAME, default_count
from mixtures.targets import Target
from trainer.config import Fraction, Training

# What the weighted sum of all targets is called beside them, and mixtures that are tried whatever a recipe says.
WEIGHTED = "weighted"
RESERVED = ("natural", "uniform", "temperature", "recipe", "chosen")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


class Verify(Strict):
    """Chosen and reference mixtures are trained with `seeds` seeds each, at the proxies' size and a `larger` one.

    Unsaid, the larger one is twice as wide, its learning rate carried over by `model.base_width`.
    """

    seeds: Annotated[int, Field(ge=3)] = 5
    larger: Training | None = None


class Proxies(Strict):
    """`trials` mixtures are drawn around the natural one, and a model of `training` is trained on each.

    `target_tokens` is how long the run will be that the mixture is for (unsaid: the recipe's mixture). Models are
    measured on the held-out text of each source and on `targets`, of each the first `measured_tokens`; what counts is
    the sum of all by `weights` (unsaid: equal ones), and `kl` times the divergence from the natural mixture. A trial
    takes `cores`, or so many `gpus` (0.25: four share one).
    """

    target_tokens: Count | None = None
    trials: Count | None = None
    floor: Fraction = 0.0
    temperature: Weight = 0.5
    mixtures: dict[Name, dict[str, Weight]] = Field(default_factory=dict)
    training: Training = Training()
    verify: Verify = Verify()
    targets: dict[Name, Target] = Field(default_factory=dict)
    weights: dict[str, Weight] = Field(default_factory=dict)
    kl: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    measured_tokens: Count = 65_536
    cores: Count = 1
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def check(self, sources: list[str]) -> None:
        """Raises for names that are none of `sources` or targets, and for names that are both."""
        if self.floor * len(sources) > 1:
            raise _error(f"proxies.floor: {self.floor:g} for each of {len(sources)} sources is more than 1 in all")
        tried = len(RESERVED) - 1 + len(self.mixtures)
        if self.trials and len(sources) > 1 and self.trials + tried < len(sources) + 2:
            raise _error(
                f"proxies.trials: {self.trials} and {tried} others are too few for a law of {len(sources)} sources; "
                f"give at least {len(sources) + 2 - tried}, better {default_count(len(sources))}"
            )
        for (one, shares), (other, others) in itertools.combinations(self.mixtures.items(), 2):
            if same_mixture(shares, others):
                raise _error(f"proxies.mixtures: {one} and {other} are the same; leave one out")
        if WEIGHTED in [*sources, *self.targets]:
            raise _error(f'"{WEIGHTED}" is what the weighted sum of all targets is called; give another name')
        for training, key in ((self.training, "training"), (self.larger(), "verify.larger")):
            if training.batch % (training.micro_batch or training.batch):
                raise _error(f"proxies.{key}.micro_batch does not divide the batch of {training.batch}")
        small, large = self.training.model, self.larger().model
        if large.layers * large.width**2 <= small.layers * small.width**2:
            raise _error(
                f"proxies.verify.larger: {large.layers} x {large.width} is no larger than {small.layers} x "
                f"{small.width} of proxies.training; give more layers or width"
            )
        for name in self.targets:
            if name in sources:
                raise _error(f'proxies.targets: "{name}" is a source, which is measured anyway; give another name')
        for mixture, shares in self.mixtures.items():
            if mixture in RESERVED or mixture.startswith(RANDOM):
                raise _error(f'proxies.mixtures: "{mixture}" is the name of one that is tried anyway; rename yours')
            for source in shares:
                if source not in sources:
                    raise _error(f"proxies.mixtures.{mixture}: {unknown(source, sources, 'source')}")
            if not sum(shares.values()):
                raise _error(f"proxies.mixtures.{mixture}: all shares are 0; give at least one above")
        measured = [*sources, *self.targets]
        for name in self.weights:
            if name not in measured:
                raise _error(f"proxies.weights: {unknown(name, measured, 'source or target')}")
        if self.weights and not sum(self.weights.values()):
            raise _error("proxies.weights: all are 0; give at least one above")

    def weights_of(self, measured: list[str]) -> dict[str, float]:
        """What each source and target counts, all together 1; those without a weight count nothing, if any has one."""
        weights = {name: self.weights.get(name, 0.0) if self.weights else 1.0 for name in measured}
        total = sum(weights.values())
        return {name: weight / total for name, weight in weights.items()}

    def larger(self) -> Training:
        """The second size to verify at."""
        if self.verify.larger:
            return self.verify.larger
        model = self.training.model
        wider = model.model_copy(
            update={
                "width": 2 * model.width,
                "heads": 2 * model.query_heads,
                "kv_heads": 2 * model.key_heads,
                "hidden": None if model.hidden is None else 2 * model.hidden,
                "base_width": model.base_width or model.width,
            }
        )
        return self.training.model_copy(update={"model": wider})


def same_mixture(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two mixtures' shares, in any scale, are the same."""
    of_one, of_other = sum(one.values()) or 1.0, sum(other.values()) or 1.0
    sources = {*one, *other}
    return all(abs(one.get(s, 0.0) / of_one - other.get(s, 0.0) / of_other) < SAME for s in sources)


def _error(text: str) -> PydanticCustomError:
    return PydanticCustomError("proxies", "{text}", {"text": text})

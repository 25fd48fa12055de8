"""What a recipe says of its mixture: how many tokens in all, and of which source how much.

What goes in: the recipe's `mixture`. What stays true: whatever can be known to be wrong before a token is counted is
refused here, with its key; what depends on how much there is, `mixtures.plan` refuses.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from corpus.strict import Count, Strict, unknown

# Up to four epochs a repeated token is worth nearly as much as a new one (Muennighoff et al. 2023, arXiv:2305.16264).
MAX_EPOCHS = 4.0

# Far larger ones have a sum that is no number any more.
Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Epochs = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Mixture(Strict):
    """`tokens` in all: `epochs` times what their sources have, and what is left shared by `weights`, in tokens.

    With a `temperature` all sources that are not in `epochs` take part, with weight times unique tokens ** temperature.
    `max_epochs`, for all or by source, is how often a source may be repeated. What it has too little for is an error,
    or, with `missing: report`, missing and reported. `validation` is the share of each source's documents held out.
    """

    tokens: Count | None = None
    weights: dict[str, Weight] = Field(default_factory=dict)
    epochs: dict[str, Epochs] = Field(default_factory=dict)
    max_epochs: Epochs | dict[str, Epochs] = MAX_EPOCHS
    temperature: Weight | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.02
    missing: Literal["error", "report"] = "error"

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Mixture":
        for source, epochs in self.epochs.items():
            if source in self.weights:
                raise _error(f'"{source}" is in both weights and epochs; one of them says how much of it there is')
            if epochs > self.cap(source):
                raise _error(f"epochs.{source} is {epochs:g} and max_epochs {self.cap(source):g}; raise max_epochs")
        if self.temperature is None and not self.epochs and not any(self.weights.values()):
            raise _error("the weights sum to 0; give at least one source a weight above 0, or epochs")
        return self

    def cap(self, source: str) -> float:
        """Epochs that the source may have at most."""
        return self.max_epochs.get(source, MAX_EPOCHS) if isinstance(self.max_epochs, dict) else self.max_epochs

    def weights_of(self, sources: Collection[str]) -> dict[str, float]:
        """The sources that share what epochs leave, in the order of `sources`, with their weights as asked for."""
        unsaid = 0.0 if self.temperature is None else 1.0
        weights = {name: self.weights.get(name, unsaid) for name in sources if name not in self.epochs}
        return {name: weight for name, weight in weights.items() if weight > 0}

    def mixed(self, sources: Collection[str]) -> list[str]:
        """Those of `sources` that take part, in their order."""
        weights = self.weights_of(sources)
        return [name for name in sources if name in self.epochs or name in weights]

    def check(self, sources: Collection[str]) -> None:
        """Raises for names that are none of `sources`, and for a total that nobody needs or that is not there."""
        caps = self.max_epochs if isinstance(self.max_epochs, dict) else {}
        for key, named in (("weights", self.weights), ("epochs", self.epochs), ("max_epochs", caps)):
            for name in named:
                if name not in sources:
                    raise _error(f"mixture.{key}: {unknown(name, sources, 'source')}")
        if not self.mixed(sources):
            raise _error("mixture: no source takes part, all weights are 0; give one a weight above 0, or epochs")
        shared = self.weights_of(sources)
        if shared and self.tokens is None:
            raise _error(f"mixture.tokens: give the total; {', '.join(shared)} get a share of it")
        if not shared and self.tokens is not None:
            raise _error("mixture.tokens: leave it out; every source is given by epochs, and the total follows")

    def for_shares(self) -> Mapping[str, Any]:
        """The keys that shares of tokens depend on. Without epochs the total is none of them."""
        total = {"tokens", "epochs", "max_epochs"} if self.epochs else set()
        return self.model_dump(include={"weights", "temperature"} | total)


def _error(text: str) -> PydanticCustomError:
    return PydanticCustomError("mixture", "{text}", {"text": text})

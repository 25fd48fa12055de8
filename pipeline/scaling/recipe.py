"""What a recipe says of its scaling law: the budget of the runs it is fitted to, and the budgets it is asked about.

What goes in: the recipe's `scaling`. What stays true: whatever can be known to be wrong before a text is read is
refused here, with its key; the schedule is wsd, which alone can be measured at several lengths in one run.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from corpus.strict import Count, RecipeError, Strict, unknown
from mixtures.mixture import Weight
from mixtures.scaling_plan import DECAY, RATIOS
from trainer.config import Model, Optimizer, Positive, Schedule, Training


def as_many(value: object) -> object:
    return [value] if isinstance(value, int | float) else value


Ratios = Annotated[list[Positive], Field(min_length=1)]
Budgets = Annotated[list[Positive], BeforeValidator(as_many)]


class Runs(Strict):
    """How all sizes are trained: on `batch` rows of `context` tokens, warmed up for `warmup` tokens a parameter.

    Sizes and steps are the plan's. The learning rate is that of `base_width`, the least planned width unless said, and
    is carried to the others by muP. A warm-up that grows with the model does not hold the small ones back (Porian et
    al. 2024, arXiv:2406.19146).
    """

    context: Count = 256
    batch: Count = 8
    micro_batch: Count | None = None
    base_width: Annotated[int, Field(gt=0, multiple_of=32)] | None = None
    optimizer: Optimizer = Optimizer()
    warmup: Positive = 1.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    recompute: bool = False

    @property
    def step_tokens(self) -> int:
        return self.batch * self.context

    def warmup_steps(self, parameters: int) -> int:
        return max(1, round(self.warmup * parameters / self.step_tokens))

    def training(self, layers: int, width: int, base_width: int, steps: int) -> Training:
        """Of one size; raises `RecipeError` where the base's heads do not divide the width."""
        try:
            model = Model(layers=layers, width=width, context=self.context, base_width=base_width)
        except ValidationError as error:
            cause = error.errors()[0]["msg"]
            raise RecipeError(
                f"scaling.training.base_width: {base_width} does not do for all sizes: {cause}"
            ) from error
        return Training(
            model=model,
            optimizer=self.optimizer,
            schedule=Schedule(kind="wsd", decay=DECAY),
            steps=steps,
            batch=self.batch,
            micro_batch=self.micro_batch,
            precision=self.precision,
            compile=self.compile,
            recompute=self.recompute,
        )


class Scaling(Strict):
    """Models are trained for `flops` in all, at `ratios` of tokens a parameter, on a `mixture` of the sources: the
    recipe's own, the natural one, or shares by source.

    The loss is the bits per byte of the held-out text, of each source the first `measured_tokens`, weighted by
    `weights` (unsaid: the mixture's shares). Intervals are those of `draws` resamples of the runs. `target_flops` are
    the budgets whose best sizes are asked for. A run takes `cores`, or so many `gpus` (0.25: four share one).
    """

    flops: Positive
    target_flops: Budgets = Field(default_factory=list)
    ratios: Ratios = Field(default_factory=lambda: list(RATIOS))
    mixture: Literal["recipe", "natural"] | dict[str, Weight] = "recipe"
    training: Runs = Runs()
    weights: dict[str, Weight] = Field(default_factory=dict)
    # A percentile of 2.5 is one of 40.
    draws: Annotated[int, Field(ge=40)] = 400
    measured_tokens: Count = 65_536
    cores: Count = 1
    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def check(self, sources: list[str]) -> None:
        """Raises for names that are none of `sources`, and for horizons that do not hold warm-up and decay."""
        named: dict[str, Mapping[str, float]] = {"weights": self.weights}
        if isinstance(self.mixture, dict):
            named["mixture"] = self.mixture
        for key, shares in named.items():
            for source in shares:
                if source not in sources:
                    raise _error(f"scaling.{key}: {unknown(source, sources, 'source')}")
            if (shares or key == "mixture") and not sum(shares.values()):
                raise _error(f"scaling.{key}: all are 0; give at least one above")
        if len(set(self.ratios)) < len(self.ratios):
            raise _error(f"scaling.ratios: one is given twice: {', '.join(f'{ratio:g}' for ratio in self.ratios)}")
        least = min(self.ratios)
        if self.training.warmup > (1 - DECAY) * least:
            raise _error(
                f"scaling.training.warmup: {self.training.warmup:g} tokens a parameter do not fit before the decay of "
                f"a run of {least:g}; give at most {(1 - DECAY) * least:g}, or larger ratios"
            )


def _error(text: str) -> PydanticCustomError:
    return PydanticCustomError("scaling", "{text}", {"text": text})

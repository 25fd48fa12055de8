"""What a training run is told: the model, how it learns, and what is kept of it; frozen, and checked when it is made.

What stays true: no torch here, so that a recipe can be checked without it.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from corpus.strict import Count, Share, Strict

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Model(Strict):
    """A Llama of `layers` blocks of `width`, reading `context` tokens.

    Unsaid, `heads` are of 64, or of 32 below a width of 256; `kv_heads` are as many (fewer share keys and values);
    `hidden`, the width inside SwiGLU, is 8/3 of the width in steps of 32, which gives its three matrices the weights of
    a plain MLP's two. `tied` shares the embedding with the output layer.

    `base_width` is the width at which the learning rate was found: matrices inside the blocks are then drawn and
    trained, and logits scaled, such that it is right at this width too (muP, arXiv:2203.03466, table 8). Scores of
    attention are scaled as ever, so heads are to be of one width at all widths; unsaid, they are as wide as those of a
    model of `base_width`.
    """

    layers: Count = 4
    width: Count = 128
    context: Count = 256
    heads: Count | None = None
    kv_heads: Count | None = None
    hidden: Count | None = None
    tied: bool = False
    base_width: Count | None = None

    @model_validator(mode="after")
    def _sizes_divide(self) -> Self:
        if self.width % self.query_heads or (self.width // self.query_heads) % 2:
            text = f"width {self.width} over {self.query_heads} heads: RoPE needs an even whole number per head"
            raise PydanticCustomError("heads", "{text}", {"text": text})
        if self.query_heads % self.key_heads:
            text = f"{self.query_heads} heads cannot share {self.key_heads} kv_heads evenly"
            raise PydanticCustomError("kv_heads", "{text}", {"text": text})
        return self

    @property
    def query_heads(self) -> int:
        base = self.base_width or self.width
        head_width = base // max(1, base // (64 if base >= 256 else 32))
        return self.heads or max(1, self.width // head_width)

    @property
    def key_heads(self) -> int:
        return self.kv_heads or self.query_heads

    @property
    def mlp_width(self) -> int:
        return self.hidden or -(-8 * self.width // (3 * 32)) * 32


class Optimizer(Strict):
    """AdamW; the betas, the weight decay and the clipping of the gradient's norm are Llama 1's."""

    learning_rate: Positive = 3e-3
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.95
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    clip: Positive = 1.0


class Schedule(Strict):
    """The learning rate over the steps: a linear warm-up, then a `cosine`, or `wsd`: stable, then a linear decay
    (MiniCPM, arXiv:2404.06395). Shares of all steps, `decay` being a fifth unless said; `final` is a share of the
    highest learning rate.
    """

    kind: Literal["cosine", "wsd"] = "cosine"
    warmup: Fraction = 0.1
    decay: Share | None = None
    final: Fraction = 0.1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "cosine" and self.decay is not None:
            raise PydanticCustomError("decay", "decay is wsd's; a cosine falls from the warm-up to the end")
        if self.kind == "wsd" and self.warmup + self.falling > 1:
            text = f"a warmup of {self.warmup} and a decay of {self.falling} are more than all steps"
            raise PydanticCustomError("decay", "{text}", {"text": text})
        return self

    @property
    def falling(self) -> float:
        """The share of the steps that wsd's decay takes."""
        return 0.2 if self.decay is None else self.decay


class Training(Strict):
    """How a model is trained: `steps` of `batch` rows of `model.context` tokens.

    `micro_batch` rows at a time go through the model, which changes nothing but memory and the last bits (unsaid: all
    of a process's). `precision` is that of the products, weights being kept in 32 bits; `auto`, here and for `compile`,
    is bfloat16 and compiled on a GPU, and neither on a CPU. `recompute` trades a third more work for memory.

    The defaults take about 75 s on two cores with 8,192 ids. Untied, such short runs end 0.07 to 0.4 nats lower than
    tied and mind the learning rate less (measured; twice the default costs 0.13 nats).
    """

    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    steps: Count = 200
    batch: Count = 8
    micro_batch: Count | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    recompute: bool = False


class Guard(Strict):
    """What to do about a spike: a loss or a gradient that is no finite number, or a loss of more than `deviations`
    standard deviations above the mean of the last `window` ones (from the 20th on).

    `stop` ends training, and only at what is no finite number. `skip` leaves the step's update out. `rollback` returns
    to the last of the regular checkpoints and goes on with the batches after the spike (PaLM, arXiv:2204.02311, section
    5.1). Both count; more than `most` of them end training.
    """

    action: Literal["stop", "skip", "rollback"] = "stop"
    deviations: Positive = 8.0
    window: Annotated[int, Field(ge=20)] = 100
    most: Count = 10


class Checkpoints(Strict):
    """Regular ones `every` so many steps, of which the last `keep` stay; and the newest, and the best at validation."""

    every: Count = 500
    keep: Count = 2


class Validation(Strict):
    """Losses on held-out text `every` so many steps, and at the end: of the first `tokens` of each source."""

    every: Count = 500
    tokens: Count = 1_000_000


class Run(Training):
    """A run of its own, with what is kept of it on the way."""

    guard: Guard = Guard()
    checkpoints: Checkpoints = Checkpoints()
    validation: Validation = Validation()
    tensorboard: bool = False


# What may differ when a run is resumed: it says what is done between steps, or changes their last bits at most.
FREE = {"micro_batch", "recompute", "guard", "checkpoints", "validation", "tensorboard"}

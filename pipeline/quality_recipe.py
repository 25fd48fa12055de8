"""The keys of a recipe that say how good a document has to be: language, perplexity, likeness to references."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from corpus.strict import Count, Paths, Strict
from filters.keep import KeepRule

# RedPajama takes cited pages of at least so many characters: shorter ones are stubs, errors and log-ins.
LEAST_CITED = 1000


class Language(Strict):
    """Keep documents that fastText's lid.176 (or `model`, a .bin or .ftz file) puts in one of `keep`.

    It is shown the first `characters` of a text, or with null all of it. With `before_extraction`, HTML pages that are
    surely in another language are not even extracted.
    """

    keep: Annotated[list[str], Field(min_length=1)]
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.65
    model: str | None = None
    characters: Count | None = 1000
    before_extraction: bool = True


class Positives(Strict):
    """Reference texts: JSON lines with a `text` field; or `cited`, lists of URLs as `crawlmill references` writes them,
    for the crawl's own pages that are there and have `min_characters`.
    """

    kind: Literal["jsonl", "cited"]
    paths: Paths
    min_characters: Annotated[int, Field(ge=0)] = LEAST_CITED

    @model_validator(mode="after")
    def _jsonl_as_it_is(self) -> Self:
        if self.kind == "jsonl" and self.min_characters != LEAST_CITED:
            raise PydanticCustomError(
                "positives", "min_characters is for kind: cited; texts of jsonl are taken as they are"
            )
        return self


class Reference(Strict):
    """Score documents by likeness to references and keep by that.

    Either a classifier of the kind `classifier` is trained in this run on `positives`, or `model` is the folder of one
    that `crawlmill classifier train` left.
    """

    keep: KeepRule
    positives: Positives | None = None
    classifier: Literal["linear", "fasttext"] = "linear"
    model: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.positives is None) == (self.model is None):
            raise PydanticCustomError(
                "reference",
                "give one of: positives (to train on them in this run), model (of crawlmill classifier train)",
            )
        if self.model is not None and self.classifier != "linear":
            raise PydanticCustomError(
                "reference", "classifier is for positives; a model is of the kind that it was trained as"
            )
        return self

    @model_validator(mode="after")
    def _threshold_is_a_probability(self) -> Self:
        if self.keep.threshold is not None and not 0 <= self.keep.threshold <= 1:
            raise PydanticCustomError("reference", "keep.threshold is a probability: give a number between 0 and 1")
        return self


class Perplexity(Strict):
    """Score documents by the language models in the folder `model`, and keep by that: the lower the better.

    Perplexities of different languages cannot be compared, so shares and percentiles are those of each language.
    """

    model: str
    keep: KeepRule

    @model_validator(mode="after")
    def _no_probability_and_none_below_1(self) -> Self:
        if self.keep.pareto is not None:
            raise PydanticCustomError("perplexity", "pareto draws by a probability; give share, threshold or buckets")
        if self.keep.threshold is not None and self.keep.threshold < 1:
            raise PydanticCustomError("perplexity", "no perplexity is below 1; give a keep.threshold of at least 1")
        return self

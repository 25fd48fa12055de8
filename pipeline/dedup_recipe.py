"""The keys of a recipe that say which documents and lines repeat others, and which of them stay."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from corpus.strict import Count, Share, Strict, as_list, unknown
from dedup.lines import MIN_CHARACTERS
from dedup.lsh import PERMUTATIONS, best_bands

# RefinedWeb's 450 bands of 20 rows are the most that anybody published.
MOST_PERMUTATIONS = 9_000


def _bytes(value: object) -> object:
    """A number of bytes, which people write as 4 GB or 512MB."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]+|[0-9]+\.[0-9]+) *([KMGT])B", value)
    if found is None:
        raise PydanticCustomError("bytes", "should be a size such as 4GB or 512MB, or a number of bytes")
    return round(float(found[1]) * 1024 ** ("KMGT".index(found[2]) + 1))


def _lines(value: object) -> object:
    """`lines: true` means the defaults."""
    return ({} if value else None) if isinstance(value, bool) else value


class MinHash(Strict):
    """Near-duplicates: candidates by MinHash-LSH over word n-grams, removed at a Jaccard similarity of `threshold`.

    Without `bands` and `rows` they are derived from the threshold and at most `permutations`; FineWeb's 14 bands of 8
    rows find Jaccard .75 with probability .77.
    """

    threshold: Share = 0.75
    bands: Count | None = None
    rows: Count | None = None
    permutations: Annotated[int, Field(gt=0, le=MOST_PERMUTATIONS)] | None = None
    ngram: Count = 5

    @model_validator(mode="after")
    def _bands_fit(self) -> "MinHash":
        if (self.bands is None) != (self.rows is None):
            raise PydanticCustomError("bands", "give both bands and rows, or neither to derive them from threshold")
        wanted = (self.bands or 0) * (self.rows or 0)
        if wanted > (self.permutations or MOST_PERMUTATIONS):
            text = f"{self.bands} bands of {self.rows} rows take {wanted:,} permutations, and there are "
            text += f"{self.permutations or MOST_PERMUTATIONS:,}; take fewer, or leave both out to derive them"
            raise PydanticCustomError("bands", "{text}", {"text": text})
        return self


class Containment(Strict):
    """Documents most of which is in another one, as Llama-1 removes books: shingles shared of the smaller document's.

    One shingle in `every` is what candidates are found by; the decision is by all of them.
    """

    threshold: Share = 0.9
    ngram: Count = 5
    every: Count = 64


class Lines(Strict):
    """Lines or paragraphs that occur more than once in the source: drop all copies (CCNet), or all but the first.

    A document that lost some and has fewer than `min_characters` left is dropped. With `first`, as in CCNet, that is
    done before anything is measured or judged, over all documents; otherwise last, over those that are left.
    """

    unit: Literal["line", "paragraph"] = "line"
    keep: Literal["none", "first"] = "none"
    first: bool = False
    min_characters: Annotated[int, Field(ge=0)] = MIN_CHARACTERS


class Dedup(Strict):
    """What of a source is compared; `survivor` says which of several copies stays, the smallest id among equals."""

    exact: bool = False
    url: bool = False
    minhash: MinHash | None = None
    containment: Containment | None = None
    lines: Annotated[Lines | None, BeforeValidator(_lines)] = None
    survivor: Literal["first", "longest", "best"] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Dedup":
        if self.minhash and self.containment:
            raise PydanticCustomError("near", "give one of: minhash (Jaccard), containment (as for books)")
        return self

    @property
    def stays(self) -> Literal["first", "longest", "best"]:
        """The survivor; of documents in one another the longest, since what is in none of the others is in that."""
        return self.survivor or ("longest" if self.containment else "first")

    @property
    def compares_documents(self) -> bool:
        return bool(self.exact or self.url or self.minhash or self.containment)


class DedupOverSources(Strict):
    """What deduplication shares among sources.

    `across` lists groups of sources whose documents are compared with each other's; of two copies the one whose source
    is named first stays. `against` are folders of earlier runs: what they hold is removed here. `memory` is what one
    task may take.
    """

    across: list[Annotated[list[str], Field(min_length=2)]] = Field(default_factory=list)
    against: Annotated[list[str], BeforeValidator(as_list)] = Field(default_factory=list)
    memory: Annotated[int, BeforeValidator(_bytes), Field(gt=0)] = 2 << 30


def check_across(over: DedupOverSources, sources: Mapping[str, Dedup]) -> None:
    """Raises where `across` names what cannot be compared."""
    named: set[str] = set()
    for group in over.across:
        for name in group:
            if problem := _across_problem(name, group[0], named, sources):
                raise PydanticCustomError("across", "{text}", {"text": f"dedup.across: {problem}"})
            named.add(name)


def _across_problem(name: str, first: str, named: set[str], sources: Mapping[str, Dedup]) -> str | None:
    if name not in sources:
        return unknown(name, sources, "source")
    if name in named:
        return f"{name} is named twice; name all that it is compared with in one list"
    if not sources[name].compares_documents:
        return f"sources.{name}.dedup compares no documents; set exact, url, minhash or containment"
    # Lines are counted in each source by itself.
    if sources[name].model_dump(exclude={"lines"}) != sources[first].model_dump(exclude={"lines"}):
        return f"sources.{first}.dedup and sources.{name}.dedup differ; only what is hashed alike can be compared"
    return None


def near_of(dedup: Dedup) -> dict[str, Any] | None:
    """What near-duplicates are found by: the parameters that measuring depends on."""
    if dedup.containment:
        return {"measure": "containment", **dedup.containment.model_dump(include={"ngram", "every"})}
    if dedup.minhash is None:
        return None
    bands, rows = dedup.minhash.bands, dedup.minhash.rows
    if bands is None or rows is None:
        bands, rows = best_bands(dedup.minhash.threshold, dedup.minhash.permutations or PERMUTATIONS)
    return {"measure": "jaccard", "bands": bands, "rows": rows, "ngram": dedup.minhash.ngram}

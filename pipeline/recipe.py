"""The recipe: YAML in, one frozen and fully checked configuration out.

What stays true: nothing is read, written or started before a recipe has passed every check here, and a recipe that
does not pass is one `RecipeError` that lists every problem with the path of its key.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from corpus import storage
from corpus.strict import Count, Paths, RecipeError, Strict, as_list
from mixtures.mixture import Mixture
from pipeline import configuration
from pipeline.dedup_recipe import Dedup, DedupOverSources, check_across
from pipeline.proxies.recipe import Proxies
from pipeline.quality_recipe import Language, Perplexity, Reference
from pipeline.scaling.recipe import Scaling
from trainer.config import Training


class Source(Strict):
    """What every kind of source can have done to it."""

    paths: Paths
    language: Language | None = None
    rules: list[str | dict[str, dict[str, Any]]] = Field(default_factory=list)
    perplexity: Perplexity | None = None
    reference: Reference | None = None
    dedup: Dedup = Dedup()

    @property
    def wanted_languages(self) -> dict[str, Any] | None:
        """What the filter is told of languages; None where none is asked for."""
        return self.language.model_dump(include={"keep", "min_score"}) if self.language else None


class WarcSource(Source):
    kind: Literal["warc"]
    extractor: Literal["resiliparse", "trafilatura"] = "resiliparse"


class JsonlSource(Source):
    kind: Literal["jsonl"]
    text_field: str = "text"


AnySource = Annotated[WarcSource | JsonlSource, Field(discriminator="kind")]


class Tokenizer(Strict):
    """Either `train`, the size of a byte-level BPE vocabulary, or `file`: a tokenizer.json, a tiktoken file with its
    `pattern` and, where it is not the next one, the id of its end token, or a SentencePiece model.

    `eos` ends documents: "<|endoftext|>" or, of a SentencePiece model, its own unless given.
    """

    train: Annotated[int, Field(ge=257)] | None = None
    file: str | None = None
    pattern: str | None = None
    eos: Annotated[str, Field(min_length=1)] | None = None
    eos_id: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Tokenizer":
        if (self.train is None) == (self.file is None):
            raise PydanticCustomError(
                "tokenizer",
                "give one of: train (a vocabulary size), file (a tokenizer.json, tiktoken file or SentencePiece model)",
            )
        if self.file is None and (self.pattern, self.eos_id) != (None, None):
            raise PydanticCustomError("tokenizer", "pattern and eos_id are for a tiktoken file; leave them out")
        return self


class Tokens(Strict):
    """`also` names formats to write besides Megatron's: files of llm.c, and texts for trainers that read these."""

    tokenizer: Tokenizer
    shard_tokens: Count = 100_000_000
    also: Annotated[list[Literal["llm.c", "text"]], BeforeValidator(as_list)] = Field(default_factory=list)


class Recipe(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    sources: Annotated[dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], AnySource], Field(min_length=1)]
    dedup: DedupOverSources = DedupOverSources()
    mixture: Mixture | None = None
    tokens: Tokens | None = None
    proxy: Training | None = None
    proxies: Proxies | None = None
    scaling: Scaling | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Recipe":
        if (self.mixture is None) != (self.tokens is None):
            raise PydanticCustomError("pair", "give both mixture and tokens, or neither to stop at documents")
        if self.proxy and not self.tokens:
            raise PydanticCustomError("pair", "proxy needs mixture and tokens: it trains on their shards")
        if self.proxies and not self.mixture:
            raise PydanticCustomError("pair", "proxies needs mixture and tokens: it trains on their sources")
        if self.scaling and not self.mixture:
            raise PydanticCustomError("pair", "scaling needs mixture and tokens: it trains on their sources")
        if self.mixture:
            self.mixture.check(self.sources)
            if (self.proxies or self.scaling) and not self.mixture.validation:
                raise PydanticCustomError("pair", "mixture.validation: 0 holds nothing out to measure proxies on")
            if self.proxies:
                self.proxies.check(self.mixture.mixed(self.sources))
            if self.scaling:
                self.scaling.check(self.mixture.mixed(self.sources))
        check_across(self.dedup, {name: source.dedup for name, source in self.sources.items()})
        return self

    def yaml(self) -> bytes:
        return yaml.safe_dump(self.model_dump(), sort_keys=False).encode()

    def hash(self) -> str:
        """Names the recipe in manifests: sha256 over its canonical JSON with defaults filled in.

        What looks at the data and changes nothing about it is left out: `proxy`, `proxies`, `scaling`, and what
        `tokens.also` is written.
        """
        data = self.model_dump(exclude={"proxy": True, "proxies": True, "scaling": True, "tokens": {"also"}})
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def of_run(root: str) -> Recipe:
    """The recipe of the run in folder `root`, as it was run. Raises `RecipeError` where there is none."""
    path = storage.join(root, "recipe.yaml")
    if not storage.exists(path):
        raise RecipeError(f"{path} is not there: {root} is not the folder of a run")
    return load(path)


def load(path: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read and check the recipe at `path`. Raises `RecipeError`."""
    return configuration.read(path, Recipe, overrides)

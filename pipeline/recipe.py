"""The recipe: YAML in, one frozen and fully checked configuration out.

What stays true: nothing is read, written or started before a recipe has passed every check here, and a recipe that
does not pass is one `RecipeError` that lists every problem with the path of its key.
"""

import hashlib
import json
from collections.abc import Hashable
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from corpus.strict import Count, Paths, RecipeError, Share, Strict, unknown
from pipeline.dedup_recipe import Dedup, DedupOverSources, check_across


class Language(Strict):
    """Keep documents that fastText's lid.176 (or `model`, a .bin or .ftz file) puts in one of `keep`.

    With `before_extraction`, HTML pages that are surely in another language are not even extracted.
    """

    keep: Annotated[list[str], Field(min_length=1)]
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.65
    model: str | None = None
    before_extraction: bool = True


class Positives(Strict):
    """Reference texts: JSON lines with a `text` field."""

    kind: Literal["jsonl"]
    paths: Paths


class Reference(Strict):
    """Score documents by likeness to reference texts and keep the best `keep` share of their bytes."""

    positives: Positives
    keep: Share


class Source(Strict):
    """What every kind of source can have done to it."""

    paths: Paths
    language: Language | None = None
    rules: list[str | dict[str, dict[str, Any]]] = Field(default_factory=list)
    reference: Reference | None = None
    dedup: Dedup = Dedup()


class WarcSource(Source):
    kind: Literal["warc"]
    extractor: Literal["resiliparse", "trafilatura"] = "resiliparse"


class JsonlSource(Source):
    kind: Literal["jsonl"]
    text_field: str = "text"


AnySource = Annotated[WarcSource | JsonlSource, Field(discriminator="kind")]


class Mixture(Strict):
    """`tokens` in all, shared by `weights`; no source is repeated more than `max_epochs` times.

    `validation` is the share of each source's documents held out for the proxy's validation loss.
    """

    tokens: Count
    weights: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(min_length=1)]
    max_epochs: Annotated[float, Field(gt=0)] = 4.0
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.02

    @model_validator(mode="after")
    def _weights_weigh(self) -> "Mixture":
        if sum(self.weights.values()) <= 0:
            raise PydanticCustomError("weights", "the weights sum to 0; give at least one source a weight above 0")
        return self


class Tokenizer(Strict):
    """Either `train`, the size of a byte-level BPE vocabulary, or `file`, a tokenizer.json with its `eos` token."""

    train: Annotated[int, Field(ge=257)] | None = None
    file: str | None = None
    eos: str = "<|endoftext|>"

    @model_validator(mode="after")
    def _one_of_two(self) -> "Tokenizer":
        if (self.train is None) == (self.file is None):
            raise PydanticCustomError("tokenizer", "give one of: train (a vocabulary size), file (a tokenizer.json)")
        return self


class Tokens(Strict):
    tokenizer: Tokenizer
    shard_tokens: Count = 100_000_000


class Proxy(Strict):
    """The small GPT that is trained on the token shards. `batch` is in rows of `context` tokens."""

    layers: Count = 4
    width: Count = 128
    steps: Count = 200
    context: Count = 256
    batch: Count = 8
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3


class Recipe(Strict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0)] = 0
    sources: Annotated[dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], AnySource], Field(min_length=1)]
    dedup: DedupOverSources = DedupOverSources()
    mixture: Mixture | None = None
    tokens: Tokens | None = None
    proxy: Proxy | None = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Recipe":
        if (self.mixture is None) != (self.tokens is None):
            raise PydanticCustomError("pair", "give both mixture and tokens, or neither to stop at documents")
        if self.proxy and not self.tokens:
            raise PydanticCustomError("pair", "proxy needs mixture and tokens: it trains on their shards")
        for name in self.mixture.weights if self.mixture else ():
            if name not in self.sources:
                text = "mixture.weights: " + unknown(name, self.sources, "source")
                raise PydanticCustomError("weights", "{text}", {"text": text})
        check_across(self.dedup, {name: source.dedup for name, source in self.sources.items()})
        return self

    def hash(self) -> str:
        """Names the recipe in manifests: sha256 over its canonical JSON with defaults filled in.

        `proxy` is left out: it looks at the data and changes nothing about it.
        """
        return hashlib.sha256(json.dumps(self.model_dump(exclude={"proxy"}), sort_keys=True).encode()).hexdigest()


class _Loader(yaml.SafeLoader):
    """YAML as people write it: `no` is the Norwegian language, not false, and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f'key "{key}" is given twice', problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL or letter in "tTfF"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from error


def override(data: Any, assignment: str) -> None:
    """Apply one `--set dotted.key=value` to the recipe's mapping; the value is read as YAML."""
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {assignment}: write it as dotted.key=value, for example --set proxy.steps=50")
    *parents, last = key.split(".")
    for depth, parent in enumerate(parents):
        if data.get(parent) is None:
            data[parent] = {}
        data = data[parent]
        if not isinstance(data, dict):
            raise RecipeError(f"--set {assignment}: {'.'.join(parents[: depth + 1])} holds a value, not keys")
    data[last] = parse_yaml(value, f"--set {key}")


def _problem(error: ErrorDetails, data: Any) -> str:
    """One line for one problem: the key's path as the user wrote it, what is wrong, and the value.

    pydantic puts the names of union members in its locations; they are not in the recipe, so they are left out.
    """
    path: list[str] = []
    for place, part in enumerate(error["loc"], 1):
        inside = (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int))
        if inside:
            data = data[part]
        if inside or (error["type"] == "missing" and place == len(error["loc"])):
            path.append(str(part))
    context = error.get("ctx", {})
    path += [context["key"]] if "key" in context else []
    value = f", not {error['input']!r}" if isinstance(error["input"], str | int | float | None) else ""
    return f"{'.'.join(path)}: {error['msg'].replace('Input should', 'should')}{value}".removeprefix(": ")


def load(path: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read and check the recipe at `path`. Raises `RecipeError`."""
    try:
        with open(path, encoding="utf-8") as file:
            data = parse_yaml(file.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{path} holds no recipe: expected keys such as name and sources")
    for assignment in overrides:
        override(data, assignment)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        problems = sorted({_problem(e, data) for e in error.errors()})
        raise RecipeError("\n  ".join([f"{path} cannot run:", *problems])) from error

"""From a recipe to its steps: every input is checked here, before anything starts.

    each source:  read ─► (reference) ─► filter ─► (dedup_graph) ─► documents ─► tokenize ─┐
                                                                        └─► tokenizer ◄────┤
                                                                            mixture ◄──────┴─► tokens ─► proxy
                                                                                               (llmc, text)

What stays true: a step's parameters hold all that its output depends on and nothing else, so that a changed bound
leaves the read step alone and another number of workers changes nothing.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from filters import rules
from filters.family import Family
from filters.language import check_languages
from mixtures import tokenizer
from mixtures.mixture import Mixture
from pipeline import interleaved, judge, keys, mix, prove, read, tokenize
from pipeline.dedup_graph import Chain, dedup_steps, near_of
from pipeline.recipe import JsonlSource, Recipe, Source, WarcSource
from pipeline.steps import Step


def steps_of(recipe: Recipe) -> list[Step]:
    """All steps, inputs before their users. Raises `RecipeError` for what the recipe names and cannot be had."""
    chains: dict[str, Chain] = {}
    shard = 0
    for name, source in recipe.sources.items():
        files = _files(f"sources.{name}.paths", source.paths)
        chains[name] = (_source_steps(recipe, name, source, files, shard), shard, len(files))
        shard += len(files)
    met = dedup_steps(recipe, chains)
    documents = {name: step for name in recipe.sources for step in met if step.name == f"{name}.documents"}
    own = [step for chain, _, _ in chains.values() for step in chain.values()]
    return own + met + _mixture_steps(recipe, documents)


def _files(key: str, patterns: Sequence[str]) -> list[dict[str, str]]:
    """The files that match, each once and in order, with what tells that one has changed."""
    found: dict[str, str] = {}
    for pattern in patterns:
        names = storage.glob(pattern)
        if not names:
            raise RecipeError(f'{key}: no file matches "{pattern}" (paths are relative to where the command runs)')
        for name in names:
            try:
                found[name] = storage.fingerprint(name)
                storage.open_read(name).close()
            except (OSError, ValueError) as error:
                raise RecipeError(f"{key}: {name} cannot be read: {error}") from error
    return [{"file": name, "fingerprint": found[name]} for name in sorted(found)]


def _source_steps(
    recipe: Recipe, name: str, source: Source, files: list[dict[str, str]], first_shard: int
) -> dict[str, Step]:
    """The steps up to a source's filter and cutoff, by role."""
    families = _resolve_rules(name, source)
    wanted = source.language.model_dump(include={"keep", "min_score"}) if source.language else None
    if source.dedup.stays == "best" and source.reference is None:
        raise RecipeError(
            f"sources.{name}.dedup.survivor: best goes by the reference score; give sources.{name}.reference"
        )
    read_step = Step(
        f"{name}.read",
        read.run,
        {
            "name": name,
            "source": _reader(source),
            "language_model": _language_model(name, source),
            "keep_before_extraction": _keep_before_extraction(source),
            "measuring": [family.measuring for family in families],
            "near": near_of(source.dedup),
        },
        parts=[{**file, "shard": first_shard + n} for n, file in enumerate(files)],
    )
    reference = _reference_step(recipe, name, source, read_step, wanted, len(files))
    filter_step = Step(
        f"{name}.filter",
        judge.judge,
        {
            "language": wanted,
            "rules": source.rules,
            "bounds": [family.bounds for family in families],
            "exact": source.dedup.exact,
            "lines": source.dedup.lines.unit if source.dedup.lines else None,
        },
        {"read": read_step, **reference},
        parts=_numbers(read_step),
    )
    found = {"read": read_step, **reference, "filter": filter_step}
    if source.reference:
        params = {"keep": source.reference.keep, "parts": len(files)}
        found["cutoff"] = Step(f"{name}.cutoff", keys.find_cutoff, params, {"filter": filter_step})
    return found


def _numbers(step: Step) -> list[int]:
    """One part for each part of `step`."""
    assert not callable(step.parts), step.name
    return list(range(len(step.parts)))


def _resolve_rules(name: str, source: Source) -> tuple[Family, ...]:
    try:
        return rules.resolve(source.rules)
    except ValueError as error:
        raise RecipeError(f"sources.{name}.{error}") from error


def _reader(source: Source) -> dict[str, Any]:
    match source:
        case WarcSource():
            return source.model_dump(include={"kind", "extractor"})
        case JsonlSource():
            return source.model_dump(include={"kind", "text_field"})
    raise AssertionError(source)


def _language_model(name: str, source: Source) -> dict[str, str | None] | None:
    if source.language is None:
        return None
    path = source.language.model
    try:
        fingerprint = storage.fingerprint(path) if path else None
        check_languages(source.language.keep, path)
    except (OSError, ValueError) as error:
        raise RecipeError(f"sources.{name}.language: {error}") from error
    return {"path": path, "fingerprint": fingerprint}


def _keep_before_extraction(source: Source) -> list[str] | None:
    """The languages that reading goes by; None where it extracts every page, so that others do not redo it."""
    if isinstance(source, WarcSource) and source.language and source.language.before_extraction:
        return sorted(set(source.language.keep))
    return None


def _reference_step(
    recipe: Recipe, name: str, source: Source, read_step: Step, wanted: Mapping[str, Any] | None, parts: int
) -> dict[str, Step]:
    if source.reference is None:
        return {}
    files = _files(f"sources.{name}.reference.positives.paths", source.reference.positives.paths)
    params = {"language": wanted, "seed": recipe.seed, "parts": parts, "positives": files}
    return {"reference": Step(f"{name}.reference", judge.learn, params, {"read": read_step})}


def _mixture_steps(recipe: Recipe, documents: Mapping[str, Step]) -> list[Step]:
    if recipe.mixture is None or recipe.tokens is None:
        return []
    mixed = {source: documents[source] for source in recipe.mixture.mixed(recipe.sources)}
    learnt = _tokenizer_step(recipe, recipe.mixture, mixed)
    eos = {"eos": learnt.params["tokenizer"]["eos"]}
    encoded = {
        source: Step(
            f"{source}.tokenize", tokenize.encode, eos, {"documents": step, "tokenizer": learnt}, _numbers(step)
        )
        for source, step in mixed.items()
    }
    drawn = {"mixture": recipe.mixture.model_dump(), "shard_tokens": recipe.tokens.shard_tokens, "seed": recipe.seed}
    mixture = Step("mixture", mix.draw, drawn, encoded)
    params = {**eos, "seed": recipe.seed, "recipe_hash": recipe.hash()}
    inputs = {"mixture": mixture, "tokenizer": learnt, **{step.name: step for step in encoded.values()}}
    tokens = Step("tokens", mix.write_tokens, params, inputs, mix.listed_shards, mix.finish_tokens)
    also = []
    if "llm.c" in recipe.tokens.also:
        also.append(Step("llmc", interleaved.write_llmc, params, inputs, interleaved.listed, interleaved.finish_llmc))
    if "text" in recipe.tokens.also:
        inputs = {"mixture": mixture, **{step.name: step for step in mixed.values()}}
        also.append(Step("text", interleaved.write_text, {}, inputs, interleaved.listed))
    return [learnt, *encoded.values(), mixture, tokens, *also, *_proxy_step(recipe, tokens)]


def _tokenizer_step(recipe: Recipe, mixture: Mixture, mixed: Mapping[str, Step]) -> Step:
    """A tokenizer that is given depends on no text, so that another mixture leaves it and all token ids alone."""
    params = {"tokenizer": _tokenizer(recipe)}
    if params["tokenizer"]["file"]:
        return Step("tokenizer", tokenize.learn_tokenizer, params)
    sample = {"seed": recipe.seed, "validation": mixture.validation, "mixture": mixture.for_shares()}
    return Step("tokenizer", tokenize.learn_tokenizer, {**params, **sample}, mixed)


def _tokenizer(recipe: Recipe) -> dict[str, Any]:
    assert recipe.tokens
    config = recipe.tokens.tokenizer
    if config.file is None:
        return {**config.model_dump(), "eos": config.eos or tokenizer.END_OF_TEXT}
    try:
        given = tokenizer.adopt(config.file, config.pattern, config.eos, config.eos_id)
        return {**config.model_dump(), "eos": given.eos, "fingerprint": storage.fingerprint(config.file)}
    except (OSError, ValueError) as error:
        raise RecipeError(f"tokens.tokenizer.file: {error}") from error


def _proxy_step(recipe: Recipe, tokens: Step) -> list[Step]:
    if recipe.proxy is None:
        return []
    if importlib.util.find_spec("torch") is None:
        raise RecipeError('proxy: training needs torch; install it with: pip install "crawlmill[train]"')
    return [
        Step("proxy", prove.train, {"seed": recipe.seed, "training": recipe.proxy.model_dump()}, {"tokens": tokens})
    ]

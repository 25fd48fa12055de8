"""From a recipe to its steps: every input is checked here, before anything starts.

    each source:  (source_graph) ─► filter ─► (dedup_graph) ─► documents ─► tokenize ─┐
                                                                   └─► tokenizer ◄────┤
                                                                       mixture ◄──────┴─► tokens ─► proxy
                                                                                          (llmc, text)

What stays true: a step's parameters hold all that its output depends on and nothing else, so that a changed bound
leaves the read step alone and another number of workers changes nothing.
"""

import importlib.util
from collections.abc import Collection, Mapping
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from mixtures import tokenizer
from pipeline import interleaved, mix, prove, tokenize
from pipeline.dedup_graph import Chain, dedup_steps
from pipeline.recipe import Recipe
from pipeline.report.graph import report_steps
from pipeline.source_graph import files_of, numbers, source_steps
from pipeline.steps import Step


def steps_of(recipe: Recipe) -> list[Step]:
    """All steps, inputs before their users. Raises `RecipeError` for what the recipe names and cannot be had."""
    chains = _chains(recipe)
    before, documents = _document_steps(recipe, chains)
    return before + report_steps(recipe, chains, documents) + _mixture_steps(recipe, documents)


def document_steps(recipe: Recipe) -> tuple[list[Step], dict[str, Step]]:
    """The steps up to documents, and of these the last one of each source."""
    return _document_steps(recipe, _chains(recipe))


def _chains(recipe: Recipe) -> dict[str, Chain]:
    chains: dict[str, Chain] = {}
    shard = 0
    for name, source in recipe.sources.items():
        files = files_of(f"sources.{name}.paths", source.paths)
        chains[name] = (source_steps(recipe, name, source, files, shard), shard, len(files))
        shard += len(files)
    return chains


def _document_steps(recipe: Recipe, chains: Mapping[str, Chain]) -> tuple[list[Step], dict[str, Step]]:
    met = dedup_steps(recipe, chains)
    documents = {name: step for name in recipe.sources for step in met if step.name == f"{name}.documents"}
    own = [step for chain, _, _ in chains.values() for step in chain.values()]
    return own + met, documents


def _mixture_steps(recipe: Recipe, documents: Mapping[str, Step]) -> list[Step]:
    if recipe.mixture is None or recipe.tokens is None:
        return []
    learnt = tokenizer_step(recipe, documents)
    encoded = tokenize_steps(recipe.mixture.mixed(recipe.sources), documents, learnt)
    drawn = {"mixture": recipe.mixture.model_dump(), "shard_tokens": recipe.tokens.shard_tokens, "seed": recipe.seed}
    mixture = Step("mixture", mix.draw, drawn, encoded)
    params = {"eos": learnt.params["tokenizer"]["eos"], "seed": recipe.seed, "recipe_hash": recipe.hash()}
    inputs = {"mixture": mixture, "tokenizer": learnt, **{step.name: step for step in encoded.values()}}
    tokens = Step("tokens", mix.write_tokens, params, inputs, mix.listed_shards, mix.finish_tokens)
    also = []
    if "llm.c" in recipe.tokens.also:
        also.append(Step("llmc", interleaved.write_llmc, params, inputs, interleaved.listed, interleaved.finish_llmc))
    if "text" in recipe.tokens.also:
        mixed = {source: documents[source] for source in encoded}
        inputs = {"mixture": mixture, **{step.name: step for step in mixed.values()}}
        also.append(Step("text", interleaved.write_text, {}, inputs, interleaved.listed))
    return [learnt, *encoded.values(), mixture, tokens, *also, *_proxy_step(recipe, tokens)]


def tokenize_steps(sources: Collection[str], documents: Mapping[str, Step], learnt: Step) -> dict[str, Step]:
    """The steps that encode the documents of `sources` with the tokenizer of step `learnt`."""
    eos = {"eos": learnt.params["tokenizer"]["eos"]}
    return {
        source: Step(
            f"{source}.tokenize",
            tokenize.encode,
            eos,
            {"documents": documents[source], "tokenizer": learnt},
            numbers(documents[source]),
        )
        for source in sources
    }


def tokenizer_step(recipe: Recipe, documents: Mapping[str, Step]) -> Step:
    """A tokenizer that is given depends on no text, so that another mixture leaves it and all token ids alone."""
    assert recipe.mixture
    params = {"tokenizer": _tokenizer(recipe)}
    if params["tokenizer"]["file"]:
        return Step("tokenizer", tokenize.learn_tokenizer, params)
    sample = {
        "seed": recipe.seed,
        "validation": recipe.mixture.validation,
        "mixture": recipe.mixture.for_shares(),
    }
    mixed = {source: documents[source] for source in recipe.mixture.mixed(recipe.sources)}
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

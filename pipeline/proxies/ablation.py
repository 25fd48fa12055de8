"""What a rule is worth: the recipe without one of its rule families, or with another keep share, trained as it is.

    documents (recipe) ──► pool ─────────┬─► trials
                             │ tokenizer │ held-out text
    documents (variant) ─► pool ─────────┴─► trials

What goes in: a recipe and what to change of it. What comes out: for each variant a pool of its own, and trials on it
beside the recipe's. What stays true: a variant has the recipe's tokenizer, shares of the sources, tokens and seeds, and
differs in the documents alone; both are measured on the recipe's held-out text, which no variant trains on, because a
document is held out by its id; what a variant does not change is not done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards, storage
from corpus.strict import RecipeError, unknown
from filters import rules
from mixtures import plan
from mixtures.token_shards import TokenShards
from pipeline import configuration, steps
from pipeline.pool import Pool, pool_of
from pipeline.proxies.study import Study
from pipeline.recipe import Recipe, Source
from pipeline.trials import Planned
from pipeline.verdicts import VERDICTS

# The name of the trials on the recipe as it stands.
RECIPE = "recipe"
# What drops documents by a score, and is left out as a family is.
SCORES = ("perplexity", "reference")
# These are there for people's sake and for the targets' sake; a lower loss without them is no reason to leave them out.
NOT_FOR_LOSS = ("personal_data", "decontamination")


@dataclass(frozen=True, slots=True)
class Variant:
    """The recipe with one thing of `source` changed. `removes` says that the recipe has what `name` names, and the
    variant lacks it; otherwise the variant has it, and the recipe does not.
    """

    name: str
    source: str
    removes: bool
    pool: Pool


@dataclass(frozen=True, slots=True)
class Amount:
    """What there is of a source to train on, held-out text aside."""

    documents: int
    tokens: int


def variants(recipe: Recipe, without: Sequence[str], keeps: Sequence[str]) -> list[Variant]:
    """The variants by `without` ("web.c4") and `keeps` ("web=0.3"); with neither, one for each rule family.

    Raises `RecipeError` for what the recipe does not have, with the names that it has, and for a recipe that cannot run
    without it.
    """
    base = pool_of(recipe)
    if not without and not keeps:
        without = [name for name in _parts(recipe, SCORES) if name.partition(".")[2] not in NOT_FOR_LOSS]
        if not without:
            raise RecipeError("no source of the mixture has rules to leave out: give --keep, --without or rules")
    found: dict[str, Variant] = {}
    for name in without:
        source = _named(name, recipe)
        found[name] = Variant(name, source, True, pool_of(_left_out(recipe, name), base.tokenizer))
    for asked in keeps:
        source, share = _share(asked, recipe)
        changed = _changed(recipe, source, {"reference": {"keep": {"share": share}}}, f"--keep {asked}")
        name = f"{source}.reference keep={share}"
        found[name] = Variant(name, source, False, pool_of(changed, base.tokenizer))
    return list(found.values())


def _mixed(recipe: Recipe) -> dict[str, Source]:
    assert recipe.mixture, "it has a pool"
    return {source: recipe.sources[source] for source in recipe.mixture.mixed(recipe.sources)}


def _parts(recipe: Recipe, leave: Sequence[str] = ()) -> list[str]:
    """What can be left out: the families of every source in the recipe's order, and scores but those in `leave`."""
    found = []
    for name, source in _mixed(recipe).items():
        families = [family.name for family in rules.resolve(source.rules, check=False)]
        scores = [by for by in SCORES if getattr(source, by) and by not in leave]
        found += [f"{name}.{part}" for part in [*families, *scores]]
    return found


def _source(option: str, name: str, recipe: Recipe) -> str:
    if name not in (known := _mixed(recipe)):
        raise RecipeError(f"{option}: {unknown(name, known, 'source')}")
    return name


def _named(name: str, recipe: Recipe) -> str:
    """The source of "SOURCE.FAMILY", both of which are there."""
    source = _source(f"--without {name}", name.partition(".")[0], recipe)
    if name not in (known := _parts(recipe)):
        raise RecipeError(f"--without {name}: {unknown(name, known, 'family')}")
    return source


def _share(asked: str, recipe: Recipe) -> tuple[str, float]:
    """The source and the share of "SOURCE=SHARE", where the source has another one."""
    name, _, value = asked.partition("=")
    source = _source(f"--keep {asked}", name, recipe)
    try:
        share = float(value)
    except ValueError:
        raise RecipeError(f"--keep {asked}: write it as SOURCE=SHARE, for example --keep {source}=0.5") from None
    reference = recipe.sources[source].reference
    if reference is None:
        raise RecipeError(f"--keep {asked}: the source has no reference classifier; give sources.{source}.reference")
    if reference.keep.share is None:
        raise RecipeError(
            f"--keep {asked}: sources.{source}.reference.keep goes by {reference.keep.rule}, which has no share"
        )
    if reference.keep.share == share:
        raise RecipeError(f"--keep {asked}: that is what the recipe keeps; give another share to compare it with")
    return source, share


def _left_out(recipe: Recipe, name: str) -> Recipe:
    source, _, part = name.partition(".")
    change: dict[str, Any] = {part: None}
    if part not in SCORES:
        entries = [_without(entry, part) for entry in recipe.sources[source].rules]
        change = {"rules": [entry for entry in entries if entry]}
    return _changed(recipe, source, change, f"--without {name}")


def _without(entry: str | dict[str, dict[str, Any]], part: str) -> str | dict[str, dict[str, Any]] | None:
    """An entry of `rules` with the family `part` switched off, or None.

    Where it rewrites no text it stays with no bounds: what was measured with it holds, and no page is read anew.
    """
    name, settings = next(iter(entry.items())) if isinstance(entry, dict) else (entry, {})
    if name != part:
        return entry
    family = rules.FAMILIES.get(name)
    if family is None or family.rewrites:
        return None
    return {name: {**settings, **{rule.parameter: None for rule in family.rules}}}


def _changed(recipe: Recipe, source: str, change: Mapping[str, Any], why: str) -> Recipe:
    """The recipe with keys of a source replaced, those of mappings one by one, and checked again."""
    data = recipe.model_dump()
    own = data["sources"][source]
    for key, value in change.items():
        own[key] = {**own[key], **value} if isinstance(value, dict) else value
    return configuration.checked(data, Recipe, (), why)


def shares_of(study: Study) -> dict[str, float]:
    """The recipe's own mixture, which all trials have."""
    assert study.recipe.mixture
    asked = plan.wanted(study.unique, study.recipe.mixture)
    return {source: tokens / sum(asked.values()) for source, tokens in asked.items()}


def amounts(root: str, pool: Pool) -> dict[str, Amount]:
    """What each source of a pool that is done has to train on."""
    mixture = steps.counts_of(root, pool.step.inputs["mixture"])["mixture"]
    return {source: Amount(found["documents"], found["unique_tokens"]) for source, found in mixture.items()}


def obstacle(study: Study, variant: Variant) -> str | None:
    """Why a variant whose pool is done is not trained on: it is the recipe's, or a source has too little left."""
    if _trained_on(study.root, variant.pool) == _trained_on(study.root, study.pool):
        return "changes nothing: the documents to train on are the recipe's"
    context = study.proxies.training.model.context
    there = amounts(study.root, variant.pool)
    for source, share in shares_of(study).items():
        if share > 0 and there[source].tokens <= context:
            return (
                f"{source} has {there[source].tokens:,} tokens left to train on, and a row takes {context:,} and one "
                "more: lower proxies.training.model.context, or keep more"
            )
    return None


def _trained_on(root: str, pool: Pool) -> list[tuple[str, str]]:
    """The training shards by name and checksum."""
    entries = TokenShards.open(steps.folder(root, pool.step)).entries("train")
    return sorted((entry.file, entry.sha256) for entry in entries)


def trials_of(study: Study, compared: Sequence[Variant]) -> list[Planned]:
    """For each seed a trial of the recipe and of each variant."""
    seeds = [study.recipe.seed + 1 + n for n in range(study.proxies.verify.seeds)]
    pools = {RECIPE: study.pool, **{variant.name: variant.pool for variant in compared}}
    training, shares = study.proxies.training, shares_of(study)
    return [study.trial(name, training, shares, seed, pool) for name, pool in pools.items() for seed in seeds]


def copies_trained_on(study: Study, variant: Variant) -> int:
    """How many of the recipe's held-out documents a variant drops as copies of one that is not held out.

    There a document that the recipe drops stays, and is preferred to one that the recipe keeps and is measured on.
    """
    assert study.recipe.mixture
    seed, validation = study.recipe.seed, study.recipe.mixture.validation
    count = 0
    for source in study.sources:
        ours, theirs = (_verdicts(study.root, pool, source) for pool in (study.pool, variant.pool))
        copies = theirs.filter(pc.is_valid(theirs["duplicate_of"]))
        kept = ours.filter(pc.is_null(ours["reason"]))["id"].to_numpy()
        ids, others = copies["id"].to_numpy(), copies["duplicate_of"].to_numpy()
        measured = plan.held_out(ids, seed, validation) & np.isin(ids, kept)
        count += int(np.count_nonzero(measured & ~plan.held_out(others, seed, validation)))
    return count


def _verdicts(root: str, pool: Pool, source: str) -> pa.Table:
    """id, reason and duplicate_of of every document of a source."""
    (step,) = (step for step in pool.steps if step.name == f"{source}.documents")
    parts = range(shards.count_parts(steps.folder(root, step)))
    paths = [storage.join(steps.folder(root, step), shards.part_name(part, VERDICTS)) for part in parts]
    return pa.concat_tables([shards.read(path).select(["id", "reason", "duplicate_of"]) for path in paths])

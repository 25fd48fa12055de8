"""From one source of a recipe to the steps that look at each of its documents by itself.

    read ─► (tally ─► repeated ─► measure) ─┬─► (perplexity) ─┬─► filter ─► (perplexity_cutoff) ─► (reference_cutoff)
                                            └─► (reference) ──┘

What stays true: a step's parameters hold all that its output depends on and nothing else. Whichever step measures the
documents has the role "read" for those after it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from filters import rules
from filters.classifier import Classifier
from filters.family import Family
from filters.language import check_languages
from filters.perplexity import PerplexityModel
from pipeline import bands, judge, learn, lines_first, quality, read, repeated
from pipeline.dedup_recipe import near_of
from pipeline.quality_recipe import Reference
from pipeline.recipe import JsonlSource, Recipe, Source, WarcSource
from pipeline.steps import Step
from pipeline.trained import described

# The roles that later steps know a source by.
MET_BY = ("read", "filter", *(f"{by}_cutoff" for by in quality.QUALITIES))


def files_of(key: str, patterns: Sequence[str]) -> list[dict[str, str]]:
    """The files that match, each once and in order, with what tells that one has changed. Raises `RecipeError`."""
    try:
        names = storage.matching(patterns)
    except ValueError as error:
        raise RecipeError(f"{key}: {error}") from error
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = storage.fingerprint(name)
            storage.open_read(name).close()
        except (OSError, ValueError) as error:
            raise RecipeError(f"{key}: {name} cannot be read: {error}") from error
    return [{"file": name, "fingerprint": found[name]} for name in sorted(found)]


def source_steps(
    recipe: Recipe, name: str, source: Source, files: Sequence[Mapping[str, str]], first_shard: int
) -> dict[str, Step]:
    """The steps up to a source's filter and cutoffs, by role, inputs before their users. Raises `RecipeError`."""
    if source.dedup.stays == "best" and source.reference is None:
        raise RecipeError(
            f"sources.{name}.dedup.survivor: best goes by the reference score; give sources.{name}.reference"
        )
    families = _resolve_rules(name, source)
    steps = _reading(recipe, name, source, families, [{**f, "shard": first_shard + n} for n, f in enumerate(files)])
    measured = steps["read"]
    parts = list(range(len(files)))
    if source.perplexity:
        model = described(f"sources.{name}.perplexity.model", source.perplexity.model, PerplexityModel.load)
        _check_perplexity(name, source, source.perplexity.model)
        steps["perplexity"] = Step(f"{name}.perplexity", quality.score, model, {"read": measured}, parts)
    trained = None
    if source.reference and source.reference.model:
        trained = described(f"sources.{name}.reference.model", source.reference.model, Classifier.load)
    elif source.reference:
        steps["reference"] = _reference_step(recipe, name, source, source.reference, measured, len(files))
    scores = {str(by): steps[by] for by in quality.QUALITIES if by in steps}
    params = {
        "language": source.wanted_languages,
        "rules": source.rules,
        "bounds": [family.bounds for family in families],
        "classifier": trained,
        "exact": source.dedup.exact,
        "lines": source.dedup.lines.unit if source.dedup.lines and not source.dedup.lines.first else None,
    }
    steps["filter"] = Step(f"{name}.filter", judge.judge, params, {"read": measured, **scores}, parts)
    return steps | _cutoffs(recipe, name, source, steps, len(files), first_shard)


def numbers(step: Step) -> list[int]:
    """One part for each part of `step`."""
    assert not callable(step.parts), step.name
    return list(range(len(step.parts)))


def _reading(
    recipe: Recipe, name: str, source: Source, families: Sequence[Family], parts: Sequence[Mapping[str, Any]]
) -> dict[str, Step]:
    """The steps up to the one that measures, which has the role "read"."""
    model = _language_model(name, source)
    reader = {"name": name, "source": _reader(source), "before_extraction": _before_extraction(source, model)}
    measuring = {
        "language_model": model,
        "measuring": [family.measuring for family in families],
        "near": near_of(source.dedup),
    }
    lines = source.dedup.lines
    if lines is None or not lines.first:
        return {"read": Step(f"{name}.read", read.run, {**reader, **measuring}, parts=parts)}
    nothing: dict[str, Any] = {"language_model": None, "measuring": [], "near": None}
    extracted = Step(f"{name}.read", read.run, {**reader, **nothing}, parts=parts)
    each = numbers(extracted)
    tally = Step(
        f"{name}.tally", lines_first.tally, {"unit": lines.unit}, {"read": extracted}, each, repeated.write_chunks
    )
    ranges = partial(repeated.tally_ranges, memory=recipe.dedup.memory)
    params = {"keep": lines.keep, "memory": recipe.dedup.memory}
    found = Step(f"{name}.repeated", repeated.find_repeated, params, {"tally": tally}, ranges)
    inputs = {"read": extracted, "tally": tally, "repeated": found}
    wanted = {**measuring, "lines": lines.model_dump(include={"unit", "min_characters"})}
    measured = Step(f"{name}.measure", lines_first.measure, wanted, inputs, each)
    return {"extracted": extracted, "tally": tally, "repeated": found, "read": measured}


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


def _language_model(name: str, source: Source) -> dict[str, Any] | None:
    if source.language is None:
        return None
    path = source.language.model
    try:
        fingerprint = storage.fingerprint(path) if path else None
        check_languages(source.language.keep, path)
    except (OSError, ValueError) as error:
        raise RecipeError(f"sources.{name}.language: {error}") from error
    return {"path": path, "fingerprint": fingerprint, "characters": source.language.characters}


def _before_extraction(source: Source, model: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The languages that reading goes by; None where it extracts every page, so that others do not redo it."""
    if isinstance(source, WarcSource) and source.language and model and source.language.before_extraction:
        known = {key: model[key] for key in ("path", "fingerprint")}
        return {"keep": sorted(set(source.language.keep)), "model": known}
    return None


def _check_perplexity(name: str, source: Source, folder: str) -> None:
    """Raises `RecipeError` where no document could have a perplexity, so that all would stay."""
    known = PerplexityModel.load(folder).languages
    models = f"{folder} has models of: {', '.join(known)}"
    if source.language is None:
        raise RecipeError(f"sources.{name}.perplexity goes by language; give sources.{name}.language ({models})")
    if not set(known) & set(source.language.keep):
        kept = ", ".join(source.language.keep)
        raise RecipeError(f"sources.{name}.perplexity: {models}, and of none of the languages that are kept: {kept}")


def _reference_step(
    recipe: Recipe, name: str, source: Source, reference: Reference, measured: Step, parts: int
) -> Step:
    assert reference.positives, "a reference has positives or a model"
    files = files_of(f"sources.{name}.reference.positives.paths", reference.positives.paths)
    params = {
        "name": name,
        "language": source.wanted_languages,
        "seed": recipe.seed,
        "parts": parts,
        "kind": reference.classifier,
        "positives": {**reference.positives.model_dump(include={"kind", "min_characters"}), "files": files},
    }
    return Step(f"{name}.reference", learn.learn, params, {"read": measured})


def _cutoffs(
    recipe: Recipe, name: str, source: Source, steps: Mapping[str, Step], parts: int, first_shard: int
) -> dict[str, Step]:
    """The cutoff steps, each of which looks at what those before it leave; and what is shown of the scores."""
    found: dict[str, Step] = {}
    for by in quality.QUALITIES:
        wanted = getattr(source, by)
        if wanted:
            params = {"by": by, "keep": wanted.keep.model_dump(), "seed": recipe.seed, "parts": parts}
            inputs = {"filter": steps["filter"], **found}
            found[f"{by}_cutoff"] = Step(f"{name}.{by}_cutoff", quality.find_cutoff, params, inputs)
    if source.reference:
        before = {role: step for role, step in found.items() if role != "reference_cutoff"}
        inputs = {"filter": steps["filter"], "read": steps["read"], **before}
        params = {"seed": recipe.seed, "parts": parts, "first_shard": first_shard}
        found["bands"] = Step(f"{name}.bands", bands.show, params, inputs)
    return found

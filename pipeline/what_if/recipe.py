"""The recipe of a finished run with other bounds, or why what is asked for is more than that.

In come the run's summary and `--set KEY=VALUE`; out comes the changed recipe, fully checked. What stays true: it
differs in what the filter and the cutoffs are told and in nothing that an earlier step depends on; and no input file is
looked at, since they may be gone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from corpus import storage
from corpus.strict import RecipeError, unknown
from filters import rules
from filters.family import Family
from filters.language import check_languages
from pipeline import configuration
from pipeline.quality import QUALITIES
from pipeline.recipe import Recipe, Source, WarcSource, of_run

# Keys of a source that need not be written with the source's name before them.
OF_A_SOURCE = ("rules", "language", *QUALITIES)


def recipe_of(root: str, summary: Mapping[str, Any]) -> Recipe:
    """The recipe of a finished run, its sources in their order. Raises `RecipeError` where it is another, or gone."""
    recipe = of_run(root)
    if recipe.hash() != summary["recipe_hash"]:
        raise RecipeError(
            f"{storage.join(root, 'recipe.yaml')} is not the recipe that summary.json is of: a later run has not "
            f"finished, or it was edited; run it with --out {root} first"
        )
    return recipe


def changed(root: str, summary: Mapping[str, Any], assignments: Sequence[str], source: str | None) -> Recipe:
    """The recipe of the run in folder `root` as the assignments change it; short keys are those of `source`.

    Raises `RecipeError` for what cannot be, and for what only another run can tell.
    """
    before = recipe_of(root, summary)
    whole = [_whole(before, assignment, source) for assignment in assignments]
    after = configuration.checked(before.model_dump(), Recipe, whole, f"the changed recipe of {root}")
    one, other = (recipe.model_dump(exclude={"sources"}) for recipe in (before, after))
    if (path := _difference(one, other)) is not None:
        raise RecipeError(f"{'.'.join(path)}: what-if changes bounds and what is kept of a source; use crawlmill run")
    for name, old in before.sources.items():
        _check(name, old, after.sources[name], summary["steps"])
    if new := [name for name in after.sources if name not in before.sources]:
        raise RecipeError(f"sources.{new[0]}: {root} has not read it; crawlmill run does")
    return after


def families_of(name: str, source: Source) -> tuple[Family, ...]:
    """The rules of a source, to judge by. Raises `RecipeError`."""
    try:
        return rules.resolve(source.rules, check=False)
    except ValueError as error:
        raise RecipeError(f"sources.{name}.{error}") from error


def _whole(recipe: Recipe, assignment: str, source: str | None) -> str:
    """The assignment with its key written out: "rules.c4.min_sentences" is about the only source that has such rules.

    Raises `RecipeError` where no source is meant, or several may be.
    """
    key = assignment.partition("=")[0]
    if key.split(".")[0] not in OF_A_SOURCE:
        return assignment
    if source is not None:
        if source not in recipe.sources:
            raise RecipeError(f"--source: {unknown(source, recipe.sources, 'source')}")
        return f"sources.{source}.{assignment}"
    having = [name for name, each in recipe.sources.items() if _has(each, key)]
    # Of families that no source has the one source with rules says which it has.
    having = having or [name for name, each in recipe.sources.items() if getattr(each, key.split(".")[0])]
    if not having:
        raise RecipeError(
            f"--set {key}: no source of the run has {key.split('.')[0]}; crawlmill run can give it to one"
        )
    if len(having) > 1:
        raise RecipeError(f"--set {key}: several sources have it; name one with --source: {', '.join(having)}")
    return f"sources.{having[0]}.{assignment}"


def _has(source: Source, key: str) -> bool:
    """Whether a source has what a short key is about: the quality, the languages or the family of rules."""
    first, _, rest = key.partition(".")
    if first != "rules":
        return getattr(source, first) is not None
    return any(f"{rest}.".startswith(f"{name}.") for name in configuration.named_in(source.rules))


def _check(name: str, before: Source, after: Source, steps: Mapping[str, Any]) -> None:
    """Raises `RecipeError` where a step before the filter, or one after the cutoffs, would not do what it did."""
    for (step, one), (_, other) in zip(_told(name, before, steps), _told(name, after, steps), strict=True):
        if (path := _difference(one, other)) is not None:
            raise RecipeError(
                f"{'.'.join(['sources', name, *path])}: the step {step} depends on it and would be done anew, which "
                "what-if does not do; crawlmill run does"
            )
    if after.language and after.language != before.language:
        try:
            check_languages(after.language.keep, after.language.model)
        except (OSError, ValueError) as error:
            raise RecipeError(f"sources.{name}.language: {error}") from error


def _told(name: str, source: Source, steps: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What each step depends on of a source, besides what the filter judges by and the cutoffs keep: its name, and a
    mapping with the recipe's keys.
    """
    language = {"keep", "min_score"}
    read = source.model_dump(
        exclude={"rules": True, "language": language, "perplexity": {"keep"}, "reference": {"keep"}}
    )
    perplexity, reference, dedup = (read.pop(key) for key in (*QUALITIES, "dedup"))
    wanted = source.wanted_languages
    if wanted and isinstance(source, WarcSource) and read["language"]["before_extraction"]:
        read["language"]["keep"] = sorted(set(wanted["keep"]))
    learnt = {"reference": reference, "language": wanted if reference and reference["positives"] else None}
    measuring = {family.name: family.measuring for family in families_of(name, source)}
    return [
        (f"{name}.read", read),
        (f"{name}.measure" if f"{name}.measure" in steps else f"{name}.read", {"rules": measuring}),
        (f"{name}.perplexity", {"perplexity": perplexity}),
        (f"{name}.reference" if f"{name}.reference" in steps else f"{name}.filter", learnt),
        (f"{name}.documents", {"dedup": dedup}),
    ]


def _difference(one: Any, other: Any) -> list[str] | None:
    """The keys that lead to the first value that differs; None where none does."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        found = ((key, _difference(one[key], other[key])) for key in one)
        return next(([str(key), *path] for key, path in found if path is not None), None)
    return None if one == other else []

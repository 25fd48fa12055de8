"""What trials with and without a rule say of it: differences with intervals, in words, and what to make of them.

What goes in: the variants and the lines of the trials. What comes out: JSON values for `ablations.json`, of which the
report shows `ablations`. What stays true: a difference is always "with" minus "without" what the variant is named for,
so that below 0 it is better to have it; what cannot be compared is named with its reason, and a trial that diverged is
named and counts nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mixtures.verdict import Comparison, Losses, NoIntervalError, compare
from pipeline.proxies import ablation
from pipeline.proxies.ablation import RECIPE, Variant
from pipeline.proxies.schema import Ablation
from pipeline.proxies.study import Study

Line = Mapping[str, Any]
NO_TARGETS = (
    "no proxies.targets: everything is measured on text that the recipe's own rules have chosen, which favours them. "
    "Give a text that is of no source, and believe that"
)


def result(
    study: Study, variants: Sequence[Variant], obstacles: Mapping[str, str], lines: Sequence[Line]
) -> dict[str, Any]:
    """All that is known: `ablations` as the report has them, and `variants` with each target's difference.

    `obstacles` are the reasons, by name, for which a variant has no trials.
    """
    told = [told_of(study, variant, lines, obstacles.get(variant.name)) for variant in variants]
    tokens = max((line["tokens"] for line in lines), default=0)
    diverged = [{key: line[key] for key in ("name", "seed", "diverged")} for line in lines if line["diverged"]]
    return {
        "study": study.key,
        "ablations": [page_row(found, tokens) for found in told if "mean" in found["objective"]],
        "variants": told,
        "diverged": diverged,
        "warnings": warnings(study, told),
        "weights": study.proxies.weights_of(study.measured),
        "shares": ablation.shares_of(study),
    }


def page_row(found: Mapping[str, Any], tokens: int) -> Ablation:
    """What the report shows of a variant that has an interval."""
    own = found["objective"]
    return {
        "name": found["name"],
        "mean": own["mean"],
        "low": own["low"],
        "high": own["high"],
        "word": own["word"],
        "tokens": tokens,
    }


def told_of(study: Study, variant: Variant, lines: Sequence[Line], obstacle: str | None) -> dict[str, Any]:
    """What there is to train on with and without the variant's change, and the differences it makes.

    `epochs` are those of a trial, and so of the target run.
    """
    there = ablation.amounts(study.root, study.pool)[variant.source]
    changed = ablation.amounts(study.root, variant.pool)[variant.source]
    found = {
        "name": variant.name,
        "source": variant.source,
        "removes": variant.removes,
        "recipe": asdict(there),
        "variant": asdict(changed),
    }
    if obstacle:
        return {**found, "objective": {"reason": obstacle}, "targets": {}, "copies_trained_on": 0}
    epochs = {line["name"]: line["epochs"].get(variant.source, 0.0) for line in lines}
    return {
        **found,
        "epochs": {"recipe": epochs[RECIPE], "variant": epochs[variant.name]},
        "objective": difference(variant, lines, None),
        "targets": {target: difference(variant, lines, target) for target in study.measured},
        "copies_trained_on": ablation.copies_trained_on(study, variant),
    }


def difference(variant: Variant, lines: Sequence[Line], target: str | None) -> dict[str, Any]:
    """With minus without what the variant is named for, of a target or of the objective; or the reason for none."""
    ours, theirs = (RECIPE, variant.name) if variant.removes else (variant.name, RECIPE)
    try:
        found = compare(losses(lines, ours, target), losses(lines, theirs, target))
    except NoIntervalError as error:
        return {"reason": str(error)}
    return {**_numbers(found), "word": found.word}


def _numbers(found: Comparison) -> dict[str, Any]:
    numbers = asdict(found)
    return {**numbers, "seeds": list(found.seeds), "dropped": list(found.dropped)}


def losses(lines: Sequence[Line], name: str, target: str | None) -> Losses:
    """By seed; None for a trial that diverged."""
    own = [line for line in lines if line["name"] == name]
    return {line["seed"]: line["objective"] if target is None else line["losses"].get(target) for line in own}


def warnings(study: Study, told: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a person must not miss before they believe a difference."""
    said = [] if study.proxies.targets else [NO_TARGETS]
    weights = study.proxies.weights_of(study.measured)
    for source in dict.fromkeys(found["source"] for found in told):
        if study.proxies.targets and weights[source]:
            said.append(
                f"{weights[source]:.0%} of the objective is held-out text of {source} that its own rules have chosen, "
                f"which favours them: look at the targets, or give proxies.weights without {source}"
            )
    return [*said, *(words for found in told for words in _about(study, found))]


def _about(study: Study, found: Mapping[str, Any]) -> list[str]:
    said, name, source = [], found["name"], found["source"]
    if reason := found["objective"].get("reason"):
        said.append(f"{name} is not compared: {reason}")
    if copies := found["copies_trained_on"]:
        said.append(
            f"{name}: {copies:,} of the documents to measure on have a copy that the variant trains on, which "
            "favours it"
        )
    assert study.recipe.mixture
    cap = study.recipe.mixture.cap(source)
    epochs = found.get("epochs", {"recipe": 0.0, "variant": 0.0})
    if epochs["recipe"] <= cap < epochs["variant"]:
        said.append(
            f"{name}: the target run would repeat {source} {epochs['variant']:.1f} times, and "
            f"mixture.max_epochs is {cap:g}"
        )
    return said

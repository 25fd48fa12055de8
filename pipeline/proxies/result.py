"""What is left of a study in RUN/proxies: the lines of its trials, its result, the chosen mixture, the page.

What goes in: a study and as much as was found of it so far. What comes out: files, each written whole. What stays true:
the page shows what result.json says, and nothing in either but `seconds` differs from one run to the next.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from corpus import storage
from mixtures.proposals import RANDOM, Proposal
from mixtures.targets import TextTarget
from pipeline import trials
from pipeline.proxies import analysis as proxies_analysis
from pipeline.proxies import report as proxies_report
from pipeline.proxies import schema as proxies_schema
from pipeline.proxies.recipe import WEIGHTED
from pipeline.proxies.study import Study
from pipeline.trials import Planned

FOLDER, TRIALS, RESULT, MIXTURE, ABLATIONS = "proxies", "trials.jsonl", "result.json", "mixture.yaml", "ablations.json"


@dataclass(frozen=True)
class Found:
    """What is known of a study: `planned` trials with their lines, the fit, the verification and its verdict."""

    mixtures: Sequence[Proposal]
    planned: Sequence[Planned]
    lines: Sequence[Mapping[str, Any]]
    fitted: Mapping[str, Any] | None = None
    verifying: Sequence[Planned] = ()
    verified: Sequence[Mapping[str, Any]] = field(default_factory=list)
    verdict: Mapping[str, Any] | None = None


def write(study: Study, found: Found) -> str:
    """Write all there is to say, and take away what is of an earlier fit; returns the page's path."""
    folder = storage.join(study.root, FOLDER)
    every = [*found.lines, *found.verified]
    rows = "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in every)
    storage.write_bytes(storage.join(folder, TRIALS), rows.encode())
    weights = storage.join(folder, MIXTURE)
    if found.fitted:
        storage.write_bytes(weights, mixture_yaml(study, found.fitted["chosen"]).encode())
    elif storage.exists(weights):
        storage.remove(weights)
    return _write_result(folder, _result(study, found))


def is_fitted(study: Study) -> bool:
    """Whether a mixture was chosen before."""
    return storage.exists(storage.join(study.root, FOLDER, MIXTURE))


def mixture_yaml(study: Study, chosen: Mapping[str, Any]) -> str:
    """The recipe's `mixture` with the chosen weights; in full, since a rounded one may be above its cap."""
    assert study.recipe.mixture
    weights = {source: each["value"] for source, each in chosen["shares"].items()}
    # Weights would be multiplied by a temperature, and leave to epochs what these take.
    told = {"tokens": study.target_tokens, "weights": weights, "temperature": None, "epochs": {}}
    return yaml.safe_dump({"mixture": {**study.recipe.mixture.model_dump(), **told}}, sort_keys=False)


def show_ablations(study: Study) -> None:
    """Show ablations that were just written in a result that is there already."""
    folder = storage.join(study.root, FOLDER)
    if storage.exists(path := storage.join(folder, RESULT)):
        result: proxies_schema.Result = storage.read_json(path)
        _write_result(folder, {**result, "ablations": ablations(study)})


def ablations(study: Study) -> list[Any]:
    """Those of this study; one of another recipe, training or weights is not comparable."""
    path = storage.join(study.root, FOLDER, ABLATIONS)
    found = storage.read_json(path) if storage.exists(path) else {}
    return list(found["ablations"]) if found.get("study") == study.key else []


def _write_result(folder: str, result: proxies_schema.Result) -> str:
    page = storage.join(folder, "report.html")
    storage.write_bytes(page, proxies_report.render(result).encode())
    storage.write_json(storage.join(folder, RESULT), result)
    return page


def _result(study: Study, found: Found) -> proxies_schema.Result:
    fitted = found.fitted or {}
    total = sum(study.unique.values())
    return {
        "verdict": found.verdict,  # type: ignore[typeddict-item]
        "sources": study.sources,
        "natural": {source: tokens / total for source, tokens in study.unique.items()},
        "chosen": _chosen(fitted) if fitted else None,
        "references": {m.name: m.shares for m in found.mixtures if not m.name.startswith(RANDOM)},
        "caps": study.caps,
        "targets": study.measured,
        "units": {**{name: _unit(study, name) for name in study.measured}, WEIGHTED: "weighted sum"},
        "weights": study.proxies.weights_of(study.measured),
        "trials": [_trial(study, p, line) for p, line in zip(found.planned, found.lines, strict=True)],
        "verification": [_trial(study, p, line) for p, line in zip(found.verifying, found.verified, strict=True)],
        "laws": fitted.get("laws"),
        "cross_validation": fitted.get("cross_validation"),
        "second_opinion": fitted.get("second_opinion"),
        "ablations": ablations(study),
        "warnings": warnings(study, found),
        "config": {**study.proxies.model_dump(mode="json"), "target_tokens": study.target_tokens},
    }


def warnings(study: Study, found: Found) -> list[str]:
    """What a reader has to know before he believes the rest."""
    said = proxies_analysis.warnings(study, [*found.lines, *found.verified])
    if found.fitted:
        said += proxies_analysis.unfounded(found.fitted["cross_validation"])
        opinion = found.fitted["second_opinion"]
        said += [f"a second opinion: {opinion['words']}"] if opinion["disagrees"] else []
    return said


def _unit(study: Study, name: str) -> str:
    """What the losses of a source or target are in."""
    target = study.proxies.targets.get(name)
    if target is None or isinstance(target, TextTarget):
        return "bits per byte"
    return "bits per byte of the right answer" if target.measure == "answer" else "share answered wrongly"


def _chosen(fitted: Mapping[str, Any]) -> proxies_schema.Chosen:
    chosen = fitted["chosen"]
    objective = chosen["objective"]["chosen"]
    return {
        "best_observed": fitted["best_observed"],
        "gain": {name: (each["value"], each["low"], each["high"]) for name, each in chosen["gain"].items()},
        "shares": {source: each["value"] for source, each in chosen["shares"].items()},
        "intervals": {source: (each["low"], each["high"]) for source, each in chosen["shares"].items()},
        "epochs": chosen["epochs"],
        "predicted": objective["value"],
        "predicted_interval": (objective["low"], objective["high"]),
        "kl": chosen["kl"],
    }


def _trial(study: Study, planned: Planned, line: Mapping[str, Any]) -> proxies_schema.Trial:
    return {
        **{
            key: line[key]
            for key in ("trial", "name", "shares", "seed", "parameters", "tokens", "diverged", "objective")
        },  # type: ignore[typeddict-item]
        "targets": line["losses"],
        "accuracy": {name: answers for name, answers in line["answers"].items() if answers["right"] is not None},
        "final_loss": line.get("final_loss"),
        "seconds": trials.seconds_of(study.root, planned),
    }

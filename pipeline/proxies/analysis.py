"""What trials say: the laws, the mixture chosen by them, and whether it is better than the natural one.

What goes in: the lines of trials that are done. What comes out: JSON values for result.json and the report. What stays
true: trials that diverged are left out and named; nothing here is random but for the resampling, whose seed is the
recipe's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtures import choice, law, verdict
from mixtures.proposals import RANDOM, Proposal
from mixtures.second_opinion import second_opinion
from pipeline.plots import short
from pipeline.proxies.recipe import WEIGHTED
from pipeline.proxies.schema import BEST
from pipeline.proxies.study import Study

DRAWS = 200
# Fewer rows than this are no sample of a source.
FEW = 8
# Weights of a model below which proxies are known to rank poorly.
SMALL = 15_000_000

Line = Mapping[str, Any]
Vector = NDArray[np.float64]


def fit(study: Study, mixtures: Sequence[Proposal], lines: Sequence[Line]) -> dict[str, Any]:
    """Laws, their cross-validated errors, the chosen mixture and the second opinion on it.

    Raises `ValueError` where too few trials are left, or they cannot tell the sources apart.
    """
    used = [line for line in lines if not line["diverged"]]
    sources, counted = study.sources, study.proxies.weights_of(study.measured)
    # What counts nothing needs no law, and may be nothing that has one (an error rate that is the same in all trials).
    targets = [target for target, weight in counted.items() if weight]
    if lost := [line["name"] for line in lines if line["diverged"]]:
        _refuse_lost(lost, len(used), len(sources))
    shares = np.array([[line["shares"][s] for s in sources] for line in used]).reshape(-1, len(sources))
    losses = np.array([[line["losses"][t] for t in targets] for line in used]).reshape(-1, len(targets))
    names = [line["name"] for line in used]
    weights = _vector(counted, targets)
    laws = law.fit(shares, losses, sources, targets, names)
    best = min(used, key=lambda line: (line["objective"], line["name"]))
    chosen = choice.decide(
        laws,
        law.resampled(laws, shares, losses, DRAWS, study.recipe.seed),
        _vector(best["shares"], sources),
        weights,
        unique=_vector(study.unique, sources),
        tokens=study.target_tokens,
        caps=_vector(study.caps, sources),
        floor=study.proxies.floor,
        kl=study.proxies.kl,
    )
    natural = next(mixture.shares for mixture in mixtures if mixture.name == "natural")
    point = np.array([chosen.shares[source].value for source in sources])
    opinion = second_opinion(shares, losses @ weights, point, _vector(natural, sources), chosen.gain)
    return {
        "laws": {
            target: {"floor": own.floor, "slopes": dict(zip(sources, map(float, own.slopes), strict=True))}
            for target, own in zip(targets, laws.laws, strict=True)
        },
        "cross_validation": _validated(shares, losses, weights, laws, names),
        "best_observed": best["name"],
        "chosen": asdict(chosen),
        "second_opinion": {"disagrees": opinion.disagrees, "words": opinion.why},
    }


def to_verify(mixtures: Sequence[Proposal], fitted: Mapping[str, Any]) -> list[Proposal]:
    """The chosen mixture and what it has to stand against: references, the recipe's own, and the best observed one."""
    chosen = {source: interval["value"] for source, interval in fitted["chosen"]["shares"].items()}
    references = [m for m in mixtures if not m.name.startswith(RANDOM)]
    best = [Proposal(BEST, m.shares) for m in mixtures if m.name == fitted["best_observed"]]
    others = [*references, *([] if fitted["best_observed"] in {m.name for m in references} else best)]
    return [Proposal("chosen", chosen), *others]


def verify(lines: Sequence[Line]) -> dict[str, Any]:
    """The verdict from the lines of a verification, by paired seeds."""
    sizes: dict[str, dict[str, dict[int, float | None]]] = {}
    for line in lines:
        sizes.setdefault(line["size"], {}).setdefault(line["name"], {})[line["seed"]] = line["objective"]
    found = verdict.judge(sizes)
    return {
        "accepted": found.accepted,
        "words": found.words,
        "comparisons": [
            {"size": size, "baseline": baseline, **_compared(each)}
            for size, by_baseline in found.comparisons.items()
            for baseline, each in by_baseline.items()
        ],
    }


def _compared(found: verdict.Comparison | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"mean": None, "low": None, "high": None, "seeds": 0, "word": "not told apart", "reason": found}
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "seeds": len(found.seeds),
        "word": found.word,
    }


def warnings(study: Study, lines: Sequence[Line]) -> list[str]:
    """What a reader has to know before he believes the rest."""
    said = [
        f"{line['name']} (seed {line['seed']}, {line['size']}) diverged and counts nowhere: {line['diverged']}"
        for line in lines
        if line["diverged"]
    ]
    if not study.proxies.targets:
        said.append(
            "no text of no source is measured: a mixture can look better here by giving its own held-out texts what "
            "they are like; name some in proxies.targets"
        )
    training = study.proxies.training
    rows = study.keep(training) / training.model.context
    few = [
        f"{source} ({max(1, round(tokens * rows))})" for source, tokens in study.unique.items() if tokens * rows < FEW
    ]
    if few:
        said.append(
            f"few rows of {', '.join(few)} are left to train on where a proxy is to repeat each source as the target "
            "run does: give proxies more steps, or lower proxies.target_tokens"
        )
    if study.keep(training) == 1.0:
        said.append(
            f"a proxy trains on as many tokens as the target run ({study.target_tokens:,}) or more, and repeats what "
            "there is at least as often: set proxies.target_tokens to what is to be trained in the end"
        )
    parameters = max((line["parameters"] for line in lines), default=0)
    if 0 < parameters < SMALL:
        said.append(
            f"proxies of at most {short(parameters)} parameters rank mixtures poorly for real models (below about "
            "15 M): this shows how it goes, and what holds at this size"
        )
    return said


def unfounded(validated: Mapping[str, Any]) -> list[str]:
    """A warning where the laws of the weighted sum know no more of a trial than the mean of the others."""
    found = validated[WEIGHTED]
    if found["rmse"] < found["spread"] and found["rank_correlation"] > 0:
        return []
    return [
        f"the laws miss trials that they have not seen by {found['rmse']:.3g}, and the trials differ by "
        f"{found['spread']:.3g} (rank correlation {found['rank_correlation']:.2f}): what they choose is a guess; give "
        "proxies more steps, or more trials"
    ]


def _refuse_lost(lost: Sequence[str], left: int, sources: int) -> None:
    """Raises `ValueError` where too many trials diverged for a law with intervals."""
    if left < sources + 2:
        raise ValueError(
            f"{len(lost)} of {len(lost) + left} trials diverged ({', '.join(lost)}), and {left} are too few for "
            f"{sources} sources: lower proxies.training.optimizer.learning_rate"
        )


def _vector(values: Mapping[str, float], order: Sequence[str]) -> Vector:
    return np.array([values[name] for name in order], np.float64)


def _validated(
    shares: Vector, losses: Vector, weights: Vector, laws: law.Laws, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By target, and of the weighted sum: the error of predicting each trial by the others."""
    found = law.cross_validated(shares, losses, laws.sources, laws.targets, weights, names)
    columns = [(found.targets[t], found.predicted[:, n], losses[:, n]) for n, t in enumerate(laws.targets)]
    columns.append((found.objective, found.predicted @ weights, losses @ weights))
    return {
        name: {
            "rmse": errors.rmse,
            "spread": errors.spread,
            # Predictions that are all equal rank nothing.
            "rank_correlation": 0.0 if math.isnan(errors.rank) else errors.rank,
            "observed": observed.tolist(),
            "predicted": predicted.tolist(),
        }
        for name, (errors, predicted, observed) in zip([*laws.targets, WEIGHTED], columns, strict=True)
    }

"""What a person sees of a study in the terminal: mixtures, trials, the chosen mixture, its verification."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from mixtures.proposals import Proposal
from pipeline import console as terminal
from pipeline.proxies.result import Found
from pipeline.proxies.study import Study

# The best and the worst of the trials; the report has all.
SHOWN = 8


def mixtures(study: Study, proposed: Sequence[Proposal]) -> Table:
    rows = [(", ".join([m.name, *m.also]), *(f"{m.shares[source]:.1%}" for source in study.sources)) for m in proposed]
    return terminal.table(f"{len(proposed)} mixtures, shares of tokens", ["mixture", *study.sources], rows)


def tables(study: Study, found: Found) -> list[Table]:
    made = [_trials(study, found.lines)]
    if found.fitted:
        made += [_errors(found.fitted), _chosen(study, found.fitted["chosen"])]
    if found.verdict:
        made.append(_verification(found.verdict))
    return made


def _trials(study: Study, lines: Sequence[Mapping[str, Any]]) -> Table:
    done = sorted((line for line in lines if not line["diverged"]), key=lambda line: line["objective"])
    shown = done if len(done) <= 2 * SHOWN else [*done[:SHOWN], *done[-SHOWN:]]
    rows: list[Sequence[object]] = [
        (line["name"], f"{line['objective']:.4f}", *(f"{line['losses'][name]:.4f}" for name in study.measured))
        for line in shown
    ]
    rows += [(line["name"], "diverged", *["-" for _ in study.measured]) for line in lines if line["diverged"]]
    part = "" if len(shown) == len(done) else f", the {SHOWN} best and the {SHOWN} worst"
    return terminal.table(f"{len(lines)} trials{part}, losses", ["mixture", "weighted", *study.measured], rows)


def _errors(fitted: Mapping[str, Any]) -> Table:
    rows = [
        (name, f"{each['rmse']:.4f}", f"{each['spread']:.4f}", f"{each['rank_correlation']:.3f}")
        for name, each in fitted["cross_validation"].items()
    ]
    columns = ["law", "error on trials not seen", "spread of the trials", "rank correlation"]
    return terminal.table("Laws, cross-validated", columns, rows)


def _chosen(study: Study, chosen: Mapping[str, Any]) -> Table:
    total = sum(study.unique.values())
    rows = [
        (
            source,
            f"{study.unique[source] / total:.1%}",
            f"{each['value']:.1%}",
            f"{each['low']:.1%} to {each['high']:.1%}",
            f"{study.caps[source]:.1%}",
            f"{chosen['epochs'][source]:.2f}",
        )
        for source, each in chosen["shares"].items()
    ]
    gain = chosen["gain"]["natural"]
    title = f"Chosen: expected {gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f}) against natural"
    return terminal.table(title, ["source", "natural", "chosen", "95 % interval", "at most", "epochs"], rows)


def _verification(verdict: Mapping[str, Any]) -> Table:
    rows = [
        (
            each["size"],
            each["baseline"],
            each.get("reason") or f"{each['mean']:+.4f}",
            "-" if each["mean"] is None else f"{each['low']:+.4f} to {each['high']:+.4f}",
            each["seeds"],
            each["word"],
        )
        for each in verdict["comparisons"]
    ]
    columns = ["size", "chosen against", "difference", "95 % interval", "seeds", "chosen is"]
    return terminal.table("Verification, paired by seed", columns, rows)

"""`crawlmill proxies`: which mixture of the sources is best, found by many small training runs.

    propose ─► run ─► fit ─► verify          ablate

Each command does what the ones before it would do, where that is not done, so that `verify` is all in one. What comes
out, in RUN/proxies: `trials.jsonl`, `result.json`, `mixture.yaml` (the chosen weights) and `report.html`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
from rich.console import Console

from pipeline import trials
from pipeline.cluster import Cluster
from pipeline.console import StepLines
from pipeline.proxies import analysis as proxies_analysis
from pipeline.proxies import result as proxies_result
from pipeline.proxies import study as proxies
from pipeline.proxies import tables as proxies_tables
from pipeline.proxies.result import Found
from pipeline.proxies.study import Study
from pipeline.study_options import at_work, study_options
from pipeline.train_command import need_torch
from pipeline.trials import Planned
from pipeline.trials_table import TrialsTable


@click.group("proxies")
def proxies_group() -> None:
    """Mixtures proven by small training runs: which is best, and whether it is better than the natural one."""


shared_options = study_options("proxies.trials=30")


@dataclass(frozen=True)
class Session:
    """A study whose pool is there, and what its trials run on."""

    study: Study
    cluster: Cluster
    screen: Console

    def run(self, planned: Sequence[Planned]) -> list[dict[str, Any]]:
        """Run trials that are not done; the lines of all of them."""
        study = self.study
        with TrialsTable(self.screen, lambda each: proxies.outcome(study, each)) as show:
            trials.run(study.root, planned, self.cluster, study.needs, show)
        return proxies.lines(study, planned)


@contextlib.contextmanager
def session(**options: Any) -> Iterator[Session]:
    """A study whose pool is there, by the options of a command."""
    need_torch()
    with at_work(**options) as (recipe, root, cluster, screen):
        with StepLines(screen) as show:
            study = proxies.prepare(recipe, root, cluster, show, screen.print)
        yield Session(study, cluster, screen)


@proxies_group.command()
@shared_options
def propose(**options: Any) -> None:
    """Show the mixtures that would be trained on: references, named ones and random ones around the natural one."""
    with session(**options) as working:
        working.screen.print(proxies_tables.mixtures(working.study, proxies.propose(working.study)))


@proxies_group.command()
@shared_options
def run(**options: Any) -> None:
    """Train a small model on each mixture. What is done already is skipped; a killed run goes on where it was."""
    with session(**options) as working:
        # What came of the trials later is not taken back.
        went_on = proxies_result.is_fitted(working.study)
        show_written(working, fitted(working) if went_on else trained(working))


@proxies_group.command()
@shared_options
def fit(**options: Any) -> None:
    """Fit a law to the trials and choose the mixture that it expects most of."""
    with session(**options) as working:
        show_written(working, fitted(working))


@proxies_group.command()
@shared_options
def verify(**options: Any) -> None:
    """Train on the chosen mixture and on those it has to stand against, and say whether it is better than natural."""
    with session(**options) as working:
        found = fitted(working)
        if not found.verdict:
            found = verified(working, found)
        show_written(working, found)
        assert found.verdict
        working.screen.print(f"Verdict: {found.verdict['words']}.", highlight=False, markup=False, soft_wrap=True)


def trained(working: Session) -> Found:
    mixtures = proxies.propose(working.study)
    planned = proxies.trials_of(working.study, mixtures)
    return Found(mixtures, planned, working.run(planned))


def fitted(working: Session) -> Found:
    """With the verdict, where the verification's trials are all done."""
    found, study = trained(working), working.study
    # What was paid for is kept, whatever comes of the fit.
    proxies_result.write(study, found)
    found = replace(found, fitted=proxies_analysis.fit(study, found.mixtures, found.lines))
    verifying = to_verify(study, found)
    return verified(working, found) if trials.are_done(study.root, verifying) else found


def verified(working: Session, found: Found) -> Found:
    verifying = to_verify(working.study, found)
    lines = working.run(verifying)
    return replace(found, verifying=verifying, verified=lines, verdict=proxies_analysis.verify(lines))


def to_verify(study: Study, found: Found) -> list[Planned]:
    assert found.fitted
    return proxies.verification_of(study, proxies_analysis.to_verify(found.mixtures, found.fitted))


def show_written(working: Session, found: Found) -> None:
    """Write the files, and print the tables and warnings of what was found."""
    page = proxies_result.write(working.study, found)
    for table in proxies_tables.tables(working.study, found):
        working.screen.print(table)
    for warning in proxies_result.warnings(working.study, found):
        working.screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    working.screen.print(f"Report: {page}", highlight=False, soft_wrap=True)

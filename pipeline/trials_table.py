"""Trials in the terminal while they run: what is done, what is under way, what it found, and how long it will take.

On a terminal a table that is drawn over itself; elsewhere, as in a log, a line for each trial when it ends.
"""

from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from pipeline import console as terminal
from pipeline.trials import Planned, Standing

# More rows than a screen has would only flicker.
ROWS = 20


class TrialsTable:
    """Shows how trials stand; used as `with TrialsTable(screen, outcome) as show: show(standing)`.

    `outcome` says what a trial that is done came to.
    """

    def __init__(self, screen: Console, outcome: Callable[[Planned], str]) -> None:
        self.screen, self.outcome = screen, outcome
        self.live = Live(console=screen, transient=True, refresh_per_second=2)
        self.said: frozenset[int] = frozenset()
        # Seconds and trials when the first step was heard of: before it, workers start and load torch.
        self.begun: tuple[float, float] | None = None

    def __enter__(self) -> "TrialsTable":
        if self.screen.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def __call__(self, standing: Standing) -> None:
        left = self._left(standing)
        if self.screen.is_terminal:
            self.live.update(_table(standing, left))
        for place in sorted(standing.done - self.said - standing.before):
            self._line(standing, place, left)
        self.said |= standing.done
        if standing.before and not standing.seconds:
            self.screen.print(f"{len(standing.before)} of {len(standing.trials)} trials were done before")

    def _line(self, standing: Standing, place: int, left: str) -> None:
        planned = standing.trials[place]
        done = f"{len(standing.done)}/{len(standing.trials)}"
        words = [f"{done:>7}", f"{planned.name:<16}", planned.size, f"seed {planned.seed}", self.outcome(planned), left]
        self.screen.print("  ".join(words).rstrip(), highlight=False, markup=False, soft_wrap=True)

    def _left(self, standing: Standing) -> str:
        """The time that the rest takes if it goes on as it has."""
        work = len(standing.done - standing.before) + sum(standing.under_way.values())
        rest = len(standing.trials) - len(standing.before) - work
        if self.begun is None and work > 0:
            self.begun = standing.seconds, work
        if self.begun is None or work <= self.begun[1] or rest <= 0:
            return ""
        seconds, before = self.begun
        return f"{terminal.duration((standing.seconds - seconds) * rest / (work - before))} left"


def _table(standing: Standing, left: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for place in sorted(standing.under_way)[:ROWS]:
        planned = standing.trials[place]
        bar = ProgressBar(total=1, completed=standing.under_way[place], width=24)
        table.add_row(planned.name, planned.size, f"seed {planned.seed}", bar)
    table.add_row(f"{len(standing.done)} of {len(standing.trials)} trials", "", "", left)
    return table

"""Trials in the terminal while they run: what is done, what is under way, what it found, and how long it will take.

On a terminal a table that is drawn over itself; elsewhere, as in a log, a line for each trial when it ends.
"""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from pipeline import console as terminal
from pipeline.trials import Planned, Standing

# More rows than a screen has would only flicker.
ROWS = 20


class TrialsTable:
    """Shows how trials stand; used as `with TrialsTable(screen, result) as show: show(standing)`.

    `result` gives what is known of a trial that is done.
    """

    def __init__(self, screen: Console, result: Callable[[Planned], dict[str, Any]]) -> None:
        self.screen, self.result = screen, result
        self.live = Live(console=screen, transient=True, refresh_per_second=2)
        self.said: set[int] = set()

    def __enter__(self) -> "TrialsTable":
        if self.screen.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def __call__(self, standing: Standing) -> None:
        if self.screen.is_terminal:
            self.live.update(self._table(standing))
        for place in sorted(standing.done - self.said - standing.before):
            self._line(standing, place)
        self.said |= standing.done
        if standing.before and not standing.seconds:
            self.screen.print(f"{len(standing.before)} of {len(standing.trials)} trials were done before")

    def _line(self, standing: Standing, place: int) -> None:
        planned = standing.trials[place]
        done = f"{len(standing.done)}/{len(standing.trials)}"
        words = [
            f"{done:>7}",
            f"{planned.name:<16}",
            planned.size,
            f"seed {planned.seed}",
            outcome(self.result(planned)),
        ]
        self.screen.print("  ".join(words), left(standing), highlight=False, markup=False, soft_wrap=True)

    def _table(self, standing: Standing) -> Table:
        table = Table.grid(padding=(0, 2))
        for place in sorted(standing.under_way)[:ROWS]:
            planned = standing.trials[place]
            bar = ProgressBar(total=1, completed=standing.under_way[place], width=24)
            table.add_row(planned.name, planned.size, f"seed {planned.seed}", bar)
        table.add_row(f"{len(standing.done)} of {len(standing.trials)} trials", "", "", left(standing))
        return table


def outcome(line: dict[str, Any]) -> str:
    """What a trial came to, in words."""
    if line["diverged"]:
        return f"diverged: {line['diverged']}"
    return f"{sum(line['losses'].values()) / len(line['losses']):.4f} in the mean of {len(line['losses'])} losses"


def left(standing: Standing) -> str:
    """The time that the rest takes if it goes on so."""
    work = len(standing.done - standing.before) + sum(standing.under_way.values())
    rest = len(standing.trials) - len(standing.before) - work
    return f"{terminal.duration(standing.seconds * rest / work)} left" if work > 0 and rest > 0 else ""

"""`crawlmill report`: a finished run's page again, or what differs between two runs."""

import webbrowser
from pathlib import Path

import click
from rich.console import Console

from corpus import storage
from pipeline import console as terminal
from pipeline.compare import page as comparison_report
from pipeline.report import page as report
from pipeline.summary import of_finished


@click.command("report")
@click.argument("run_folder", metavar="RUN")
@click.option("--against", metavar="RUN2", help="Hold RUN against the run in folder RUN2, in a page of its own.")
@click.option("--open", "open_page", is_flag=True, help="Show the page in the browser.")
def command(run_folder: str, against: str | None, open_page: bool) -> None:
    """Write RUN/report.html again, from what the finished run left in folder RUN.

    With --against the page is RUN/against-RUN2.html: what changed in recipe, numbers and documents, which are also
    printed.
    """
    if open_page and not storage.is_local(run_folder):
        raise click.UsageError(f"--open: {run_folder} is on no disk of this machine; fetch the page and open it")
    summary = of_finished(run_folder)
    with terminal.refusing():
        page = _against(run_folder, against) if against else report.write(run_folder, summary)
    click.echo(page)
    if open_page:
        webbrowser.open(Path(str(storage.local_path(page))).resolve().as_uri())


def _against(run_folder: str, other: str) -> str:
    with terminal.bar(Console(stderr=True), "parts", transient=True) as progress:
        bar = progress.add_task("compare documents", total=None)
        comparison, page = comparison_report.write(
            run_folder, other, lambda done, of: progress.update(bar, completed=done, total=of)
        )
    screen = terminal.screen()
    for table in comparison_report.tables(comparison):
        screen.print(table)
    return page

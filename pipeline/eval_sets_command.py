"""`crawlmill eval-sets`: what of evaluation sets decontamination can find, before a recipe names them.

What goes in: the files, and the parameters of the family `decontamination` that say how they are read. What comes out:
for each set how many items it has, and how many of these can be found whole only, or not at all.
"""

import json
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from filters import decontamination, rules
from pipeline import console as terminal
from pipeline.web_text import visible

_DEFAULTS = decontamination.FAMILY.parameters


@click.command("eval-sets")
@click.argument("files", metavar="FILES...", nargs=-1, required=True)
@click.option("--field", "fields", multiple=True, help="A field to look at; any number. Without: all that have text.")
@click.option("--ngram", type=int, default=_DEFAULTS["ngram"], show_default=True, help="Words an n-gram.")
@click.option("--shortest", type=int, default=_DEFAULTS["shortest"], show_default=True, help="Words an item, at least.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
def eval_sets(files: tuple[str, ...], fields: tuple[str, ...], ngram: int, shortest: int, as_json: bool) -> None:
    """Count what decontamination can find of the eval sets in FILES (JSON lines, one item each).

    An item with a string of NGRAM words is found by parts of it, a shorter one whole, and one too short not at all.
    """
    settings = {"against": list(files), "fields": list(fields), "ngram": ngram, "shortest": shortest}
    try:
        with Console(stderr=True).status("reading the eval sets"):
            [family] = rules.resolve([{decontamination.FAMILY.name: settings}])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    read: dict[str, Any] = {name: family.parameters[name] for name in (*settings, "fingerprints")}
    sets = [asdict(each) for each in decontamination.load(**read).sets]
    if as_json:
        print(json.dumps(sets, indent=1, ensure_ascii=False))
        return
    table = Table("eval set", box=None, padding=(0, 2, 0, 0))
    for heading in ("items", "found whole only", "too short to find", "n-grams of its own"):
        table.add_column(heading, justify="right")
    for each in sets:
        numbers = (each["items"], each["whole"], each["unfindable"], each["grams"])
        table.add_row(Text(visible(each["name"])), *(f"{number:,}" for number in numbers))
    terminal.screen().print(table)

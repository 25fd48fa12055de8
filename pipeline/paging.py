"""Long output a page at a time, and its end where whoever reads it has had enough.

What goes in: blocks of text, as they come. What stays true: on a terminal they go through the user's pager if they are
longer than it; in a pipe no line is wrapped; and a pipe that was closed is no error.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import click
from rich.console import Console
from rich.text import Text


def show(screen: Console, blocks: Iterable[Text]) -> None:
    """Print the blocks; PAGER says through what."""
    lines = chain.from_iterable(_rendered(screen, block).splitlines(keepends=True) for block in blocks)
    first = list(islice(lines, screen.height if screen.is_terminal else 0))
    if screen.is_terminal and len(first) == screen.height:
        click.echo_via_pager(chain(first, lines))
        return
    for line in chain(first, lines):
        screen.file.write(line)


def _rendered(screen: Console, block: Text) -> str:
    with screen.capture() as capture:
        screen.print(block, soft_wrap=not screen.is_terminal, highlight=False)
    return capture.get()


@contextlib.contextmanager
def until_closed() -> Iterator[None]:
    """For what writes to a pipe, as to `head`: when nobody reads it any more, the block ends."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

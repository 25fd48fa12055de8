"""`crawlmill references`: the pages that Wikipedia cites as a list, and how many of a run's pages such a list holds.

In come dumps of wikis (XML exports and SQL dumps of the table `externallinks`) and lists; out comes one list, sorted,
without repeats and gzipped, of URLs as they are compared. What stays true: it is the same bytes whatever the order of
the dumps; it is written whole or, when a dump is damaged, not at all; and memory does not grow with the dumps, but for
a count of each host.
"""

import contextlib
import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Literal, cast

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from corpus import shards, storage
from corpus.sorted_lines import SortedLines
from corpus.urls import cited_key
from filters.citations import Cited, keys, listed
from filters.wikitext_links import REFERENCES, links
from pipeline import console as terminal
from pipeline.summary import documents_folder, of_finished, one_source
from sources.external_links import external_links
from sources.mediawiki import opened, pages

Kind = Literal["xml", "sql", "list"]
_SQL = (b"--", b"/*", b"CREATE ", b"DROP ", b"INSERT ", b"SET ")
TOP = 20
_LINK_KINDS = {
    "cite": "links in cite templates",
    "reference": "links elsewhere in references",
    "template": "links in other templates",
    "bracketed": "links in brackets",
    "bare": "links that are bare",
    "sql": "rows of SQL tables",
    "list": "lines of lists",
}


@dataclass
class Found:
    """What was counted. `links` are by kind, `unique` the URLs of the list and `hosts` how many of them each has."""

    pages: int = 0
    other_namespaces: int = 0
    redirects: int = 0
    links: Counter[str] = field(default_factory=Counter)
    not_references: int = 0
    archived: int = 0
    no_pages: int = 0
    unique: int = 0
    hosts: Counter[str] = field(default_factory=Counter)


@click.command("references")
@click.argument("inputs", metavar="DUMP...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", help="Where the list goes: cited.txt.gz.")
@click.option("--only-references", is_flag=True, help="Of XML dumps, only links in <ref> tags and cite templates.")
@click.option("--match", "run", metavar="RUN", help="Count the pages of a finished run that the list holds.")
@click.option("--source", metavar="NAME", help="Which source of the run.  [default: its only one]")
def references(
    inputs: tuple[str, ...], out: str | None, only_references: bool, run: str | None, source: str | None
) -> None:
    """List the pages that a wiki cites, from its dumps: XML (pages-articles) or SQL (externallinks), compressed or not.

    A DUMP may also be a list, a URL a line: lists become one list, or are counted in a run with --match alone.
    """
    screen = terminal.screen()
    try:
        names = storage.matching(inputs)
        kinds = {name: kind_of(name) for name in names}
        _check(kinds, out, only_references, run, source)
        read = None
        if run:
            summary = of_finished(run)
            read = documents_folder(run, summary, one_source(run, summary, source))
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    if out:
        _say(screen, gather(kinds, out, only_references, screen), out)
    if run and read:
        match([out] if out else names, run, read, screen)


def kind_of(path: str) -> Kind:
    """What a file is by how its content begins; what is neither XML nor SQL is a list. ValueError for a damaged one."""
    with opened(path) as file:
        start = next(file.chunks(), b"").removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return "xml"
    return "sql" if start.upper().startswith(_SQL) else "list"


def _check(kinds: dict[str, Kind], out: str | None, only_references: bool, run: str | None, source: str | None) -> None:
    """Raises ValueError for options that do not go together."""
    dumps = [name for name, kind in kinds.items() if kind != "list"]
    if not out and (dumps or not run):
        raise ValueError("say where the list goes: --out cited.txt.gz (a list alone can be counted with --match RUN)")
    if out and not out.endswith(".gz"):
        raise ValueError(f"--out {out}: the list is gzipped, so let its name end in .gz")
    if source and not run:
        raise ValueError("--source is one of a run's: give --match too")
    for name, kind in kinds.items():
        if out and storage.same_place(name, out):
            raise ValueError(f"--out {out} is one of the files to read; name another")
        if only_references and kind != "xml":
            raise ValueError(
                f"{name} does not say which links are references; leave out --only-references, or this file"
            )


def gather(kinds: dict[str, Kind], out: str, only_references: bool, screen: Console) -> Found:
    """Write the list of what the files cite to `out`, and count."""
    found = Found()
    with contextlib.ExitStack() as stack:
        folder = out.rpartition("/")[0] if storage.is_local(out) else out
        lines = SortedLines(stack.enter_context(storage.scratch(folder or ".")))
        progress = stack.enter_context(terminal.bar(screen, "bytes"))
        for name, kind in kinds.items():
            bar = progress.add_task(name.rsplit("/", 1)[-1], total=storage.size(name))
            for key in _keys(name, kind, only_references, found, partial(_show, progress, bar)):
                lines.add(key.encode())
            _show(progress, bar, storage.size(name))
        with _gzipped(out) as file:
            for line in lines.merged():
                file.write(line + b"\n")
                found.unique += 1
                found.hosts[_host(line.decode())] += 1
    return found


def _show(progress: Progress, bar: TaskID, done: int) -> None:
    progress.update(bar, completed=done)


def _keys(name: str, kind: Kind, only_references: bool, found: Found, show: Callable[[int], None]) -> Iterator[str]:
    """The keys of what one file cites, with repeats."""
    if kind == "list":
        for key in listed(name):
            found.links[kind] += 1
            yield key
        return
    urls = _linked(name, only_references, found, show) if kind == "xml" else external_links(name, show)
    for url in urls:
        cited = keys(url)
        found.links["sql"] += kind == "sql"
        found.no_pages += not cited
        found.archived += len(cited) > 1
        yield from cited


def _linked(name: str, only_references: bool, found: Found, show: Callable[[int], None]) -> Iterator[str]:
    """The links on the articles of an XML dump."""
    for page in pages(name, show):
        if page.namespace != 0:
            found.other_namespaces += 1
        elif page.is_redirect or page.model != "wikitext":
            found.redirects += 1
        else:
            found.pages += 1
            for link in links(page.wikitext):
                if only_references and link.kind not in REFERENCES:
                    found.not_references += 1
                    continue
                found.links[link.kind] += 1
                yield link.url


@contextlib.contextmanager
def _gzipped(path: str) -> Iterator[IO[bytes]]:
    """A gzip file to fill, whose bytes depend on nothing but what is written."""
    with (
        storage.open_write(path) as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as file,
        io.BufferedWriter(cast(io.RawIOBase, file), 1 << 20) as buffered,
    ):
        yield buffered


def _host(key: str) -> str:
    return key.partition("/")[0]


def _top(hosts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(hosts.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def _say(screen: Console, found: Found, out: str) -> None:
    rows = [
        ("articles read", found.pages),
        ("pages left out: of other namespaces", found.other_namespaces),
        ("pages left out: redirects and what is no wikitext", found.redirects),
        *((words, found.links[kind]) for kind, words in _LINK_KINDS.items() if kind in found.links),
        ("links left out: in no reference", found.not_references),
        ("links to no web page", found.no_pages),
        ("links to an archive's copy, with the page's own URL", found.archived),
        ("URLs in the list", found.unique),
    ]
    screen.print(terminal.table("Citations", ["what", "count"], [row for row in rows if row[1] or row is rows[-1]]))
    screen.print(terminal.table("Hosts cited most", ["host", "URLs"], _top(found.hosts)))
    screen.print(f"List: {out}", highlight=False, markup=False, soft_wrap=True)


def match(lists: Sequence[str], run: str, folder: str, screen: Console) -> None:
    """Say how many of the documents that the run read the lists hold. Raises ValueError where that is none."""
    cited = Cited.load(lists)
    read, held, with_text, example = 0, 0, 0, ""
    hosts: Counter[str] = Counter()
    parts = shards.count_parts(folder)
    with terminal.bar(screen, "parts") as progress:
        bar = progress.add_task("match", total=parts)
        for number in range(parts):
            data = shards.read_part(folder, number, ["url", "dropped"])
            holds = cited.holds(data["url"].fill_null("").to_pylist())
            read += len(data)
            held += int(holds.sum())
            found = data.filter(holds)
            with_text += found["dropped"].null_count
            hosts.update(_host(cited_key(url)) for url in found["url"].to_pylist())
            example = example or next(filter(None, data["url"].to_pylist()), "")
            progress.advance(bar)
    if not held:
        known = next(listed(lists[0]), "")
        raise ValueError(
            f"{', '.join(lists)} holds none of the {read:,} pages of {run}. "
            f'The list has URLs like "{known}", the pages have URLs like "{example}"'
        )
    rows = [("pages read", read), ("of these in the list", held), ("of these with text", with_text)]
    screen.print(terminal.table(f"Cited pages of {run}", ["what", "pages"], rows))
    screen.print(terminal.table("Hosts with most cited pages", ["host", "pages"], _top(hosts)))

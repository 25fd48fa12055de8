"""A small run whose report has a bit of all, with pages that try to be markup; and a page read back as numbers."""

import gzip
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.report import page as report
from pipeline.report.page import Evidence
from pipeline.run import run
from tests.conftest import GERMAN, RECIPE, html, prose, response

# Elements, event handlers, templates, the ends of what surrounds it, direction overrides.
EVIL = (
    "</script><!--<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}\" onload='x' \u202egnp.exe"
)
EVIL_FILE = "c <img src=x onerror=alert(1)> {{ 7 * 7 }}.warc.gz"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def crawl(folder: Path) -> None:
    """Pages of English prose, and one or more for each way to go; a damaged record; names and texts that are evil."""
    texts = prose(46)
    good = [response(f"https://site{n % 7}.example/{n}", html(text).encode()) for n, text in enumerate(texts[:24])]
    odd = [
        response("https://copy.example/exact", html(texts[2]).encode()),
        response("https://copy.example/near", html(texts[3].replace("the", "this", 1)).encode()),
        response("https://other.example/german", html(GERMAN).encode()),
        response(f"https://evil.example/{EVIL}", html(escaped(f"{texts[25]}\n\n{EVIL} {texts[26]}")).encode()),
        response('https://evil"><b>.example/', html(escaped(f"{EVIL} is too short to say much.")).encode()),
        response("javascript:alert(1)//x", html(texts[27]).encode()),
        response("https://other.example/missing", b"<p>gone</p>", status="404 Not Found"),
    ]
    damaged = response("https://damaged.example/", html(texts[30]).encode())
    folder.mkdir()
    (folder / "a.warc.gz").write_bytes(b"".join(good))
    (folder / EVIL_FILE).write_bytes(b"".join(odd[:3]) + damaged[:-40] + b"".join(odd[3:]))
    rows = [{"id": f"ref-{n}", "text": text} for n, text in enumerate(texts[31:])]
    (folder / "reference.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), mtime=0))


def make(folder: Path) -> Path:
    """The run's folder; its summary and report are there."""
    crawl(folder / "crawl")
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(crawl=folder / "crawl"))
    model = "proxy={model: {layers: 1, width: 32, context: 16}, steps: 4, batch: 2}"
    with Cluster(0) as cluster:
        run(load(str(recipe), [model]), str(folder / "run"), cluster, lambda _: None, lambda _: None)
    return folder / "run"


def evidence(root: Path, summary: Mapping[str, Any]) -> dict[str, Evidence]:
    return {name: report.evidence_of(str(root), summary, name) for name in summary["sources"]}


class Page(HTMLParser):
    """A page's elements, addresses, event handlers, text, and its tables as rows of the words in their cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag == "table":
            self.tables.append((dict(attrs).get("class") or "", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.tables and self.tables[-1][1] and self.tables[-1][1][-1]:
            self.tables[-1][1][-1][-1] += data.strip("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            # What follows is in no cell.
            self.tables[-1][1].append([])

    def rows(self, kind: str) -> list[list[list[str]]]:
        """The rows of each table of a class, without the head."""
        return [[row for row in rows[1:] if row] for classes, rows in self.tables if kind in classes.split()]

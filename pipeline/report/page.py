"""`report.html`: a run as one self-contained page. It loads nothing, and no script of the web's can run in it.

What goes in: summary.json, and for each source a sample of its documents and examples for each reason. What comes out:
the page. What stays true: the numbers on it are the summary's; it is smaller than LIMIT, however large the run; one run
gives the same bytes each time.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml
from jinja2 import Environment
from markupsafe import Markup

from corpus import storage
from pipeline.console import one_line, warnings
from pipeline.finished import manifest
from pipeline.plots import Axis, Series, chart
from pipeline.report import flow, joining, statistics, studies
from pipeline.report import source as report_source
from pipeline.report.examples import EXAMPLES
from pipeline.report.page_text import environment
from pipeline.report.signal_panel import panel
from pipeline.report.source import Room
from pipeline.report.studies import Study
from pipeline.summary import step_folder, totals

# Bytes.
LIMIT = 4_800_000
# From all there is to the least, for runs of very many sources.
ROOMS = (
    Room(examples=10, characters=500, rows=50),
    Room(examples=10, characters=200, rows=50),
    Room(examples=5, characters=200, rows=20),
    Room(examples=5, characters=200, rows=20, tables=False),
    Room(examples=2, characters=100, rows=20, tables=False),
    Room(examples=5, characters=200, rows=20, signals=False),
    Room(examples=2, characters=100, rows=10, signals=False),
    Room(examples=0, characters=0, rows=5, signals=False, sources=30),
)
# More of these are not read; and of warnings those that are seen at once.
UNREADABLE, STEPS = 200, 200
# More sources than can have their signals on a page: the markup alone takes 150 kB of each.
PANELS = 25
WARNINGS = 20


@dataclass(frozen=True)
class Evidence:
    """Of one source: `statistics.sample`, and `examples.json`, a list of documents for each reason."""

    sample: pa.Table
    examples: Mapping[str, Sequence[Mapping[str, Any]]]


def write(root: str, summary: Mapping[str, Any]) -> str:
    """Write RUN/report.html; returns its path."""
    evidence = {name: evidence_of(root, summary, name) for name in summary["sources"]}
    page = storage.join(root, "report.html")
    storage.write_bytes(page, render(summary, evidence, studies.of_run(root)).encode())
    return page


def evidence_of(root: str, summary: Mapping[str, Any], source: str) -> Evidence:
    if f"{source}.examples" not in summary["steps"]:
        raise ValueError(f"{root}: an earlier version of crawlmill made it; run the recipe again")
    documents = [file["documents"] for file in summary["sources"][source]["files"]]
    for step in ("statistics", "examples"):
        manifest(root, step_folder(root, summary, f"{source}.{step}"))
    sample = statistics.sample(step_folder(root, summary, f"{source}.statistics"), documents)
    found = storage.read_json(storage.join(step_folder(root, summary, f"{source}.examples"), EXAMPLES))
    return Evidence(sample, found)


def render(summary: Mapping[str, Any], evidence: Mapping[str, Evidence], found: Sequence[Study] = ()) -> str:
    """The page for a summary."""
    # In the order that summary.json has, so that the run and `crawlmill report` write the same page.
    summary = json.loads(json.dumps(summary, sort_keys=True))
    templates = environment()
    panels = {name: panel(name, summary, of_source.sample) for name, of_source in evidence.items()}
    rooms = [room for room in ROOMS if not room.signals or sum(map(bool, panels.values())) <= PANELS]
    script = Markup(templates.get_template("report/page.js.j2").render())
    values = {
        **_values(summary),
        "studies": found,
        "panels": panels,
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    for room in rooms:
        page = _page(templates, values, summary, evidence, room)
        if len(page.encode()) <= LIMIT:
            break
    return page


def _page(
    templates: Environment,
    values: Mapping[str, Any],
    summary: Mapping[str, Any],
    evidence: Mapping[str, Evidence],
    room: Room,
) -> str:
    largest = sorted(summary["sources"], key=lambda name: -summary["sources"][name]["read"])[: room.sources]
    shown = {
        name: report_source.shown(source, evidence[name].examples, room)
        for name, source in summary["sources"].items()
        if name in largest
    }
    return templates.get_template("report/page.html.j2").render(**values, shown=shown, room=room)


def _values(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the run as a whole."""
    steps = sorted(summary["steps"].items(), key=lambda item: (-item[1]["seconds"], item[0]))
    return {
        "summary": summary,
        "total": totals(summary),
        "sums": one_line(summary),
        "warnings": warnings(summary),
        "most_warnings": WARNINGS,
        "most_unreadable": UNREADABLE,
        "most_steps": STEPS,
        "levels": {name: flow.levels(source) for name, source in summary["sources"].items()},
        "joined": joining.joined(summary),
        "steps": steps,
        "seconds": sum(step["seconds"] for _, step in steps),
        "curve": _loss(summary["proxy"]) if summary["proxy"] else None,
        "recipe": yaml.safe_dump(summary["recipe"], sort_keys=False, allow_unicode=True),
    }


def _loss(proxy: Mapping[str, Any]) -> Markup:
    """The training loss by step, and the entropy of token frequencies that a model has to get below."""
    entropy = proxy["unigram_entropy"]
    last = max(proxy["curve"][-1][0], 1)
    series = [Series("loss", proxy["curve"], "line"), Series("", [(0, entropy), (last, entropy)], "dashes")]
    return chart(series, Axis("training step"), Axis("loss, nats per token"), "training loss by step")

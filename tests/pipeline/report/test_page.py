"""The page beside the run's summary and the terminal: the same numbers; and what came from the web stays text."""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from pipeline.console import one_line, tables
from pipeline.report import page as report
from pipeline.report import studies
from pipeline.report.page import render
from pipeline.summary import of_finished
from tests.pipeline.report import reported
from tests.pipeline.report.reported import EVIL, EVIL_FILE, Page


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reported.make(tmp_path_factory.mktemp("reported"))


@pytest.fixture(scope="module")
def summary(root: Path) -> dict[str, Any]:
    return of_finished(str(root))


@pytest.fixture(scope="module")
def page(root: Path) -> Page:
    return Page((root / "report.html").read_text())


def terminal(summary: Mapping[str, Any], title: str) -> list[list[str]]:
    """The rows of the terminal's table."""
    found: Table = next(table for table in tables(summary) if str(table.title).startswith(title))
    return [list(map(str, row)) for row in zip(*(column.cells for column in found.columns), strict=True)]


def test_a_run_and_the_command_write_the_same_page(root: Path, summary: dict[str, Any]) -> None:
    made = (root / "report.html").read_bytes()
    assert report.write(str(root), summary) == str(root / "report.html")
    assert (root / "report.html").read_bytes() == made


def test_documents_of_every_source_are_the_summarys_and_the_terminals(page: Page, summary: dict[str, Any]) -> None:
    (rows,) = page.rows("sources")
    found = {name: [int(number.replace(",", "")) for number in numbers[:4]] for name, *numbers in rows}
    assert found == {
        name: [s["read"], s["kept"], sum(s["dropped"].values()), len(s["unreadable"])]
        for name, s in summary["sources"].items()
    }
    assert [[*row[:5], row[7]] for row in rows] == terminal(summary, "Documents")
    assert one_line(summary) in page.text


def test_the_flow_is_the_funnel(page: Page, summary: dict[str, Any]) -> None:
    for (name, source), rows in zip(summary["sources"].items(), page.rows("flow-table"), strict=True):
        first, *stages, last = rows
        assert first[:2] == ["read", f"{source['read']:,}"]
        assert [row[0] for row in stages] == [stage["stage"] for stage in source["funnel"]]
        assert [row[1] for row in stages] == [f"{stage['documents']:,}" for stage in source["funnel"]]
        gone = sum(int(row[2].replace(",", "")) for row in rows)
        assert gone == sum(source["dropped"].values()) + len(source["unreadable"])
        assert last[0] == "kept"
        assert last[1] == f"{source['kept']:,}"
        assert last[7] == f"{source['unique_tokens']:,}"
        if len(stages) > 1:
            told = terminal(summary, f"What each step of {name} kept")
            assert [[row[0], row[1], row[5]] for row in stages] == [[row[0], row[1], row[3]] for row in told]
            # What went, on the page, and what stayed, in the terminal.
            left = [float(row[2].rstrip("%")) for row in told[1:]]
            assert [100 - float(row[3].rstrip(" %")) for row in stages[1:]] == pytest.approx(left, abs=0.11)


def test_reasons_are_the_summarys_and_the_terminals(page: Page, summary: dict[str, Any]) -> None:
    web = summary["sources"]["web"]
    (rows,) = page.rows("reasons-table")
    assert {reason: int(count) for reason, count, *_ in rows} == web["dropped"]
    told = {reason: (count, share) for _, reason, count, share in terminal(summary, "Dropped")}
    assert {reason: (count, share.replace(" ", "")) for reason, count, share, _ in rows} == told


def test_the_mixture_is_the_summarys_and_the_terminals(page: Page, summary: dict[str, Any]) -> None:
    (rows,) = page.rows("mixture")
    columns = [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert [[row[n] for n in columns] for row in rows] == [
        [cell.rstrip("%") for cell in row] for row in terminal(summary, "Mixture")
    ]
    shards = {row[0]: row[1] for _, table in page.tables for row in table if len(row) == 2}
    for split, tokens in summary["tokens"].items():
        for source, count in tokens.items():
            if source != "total":
                assert shards[f"{split}: {source}"] == f"{count:,}"


def test_proxy_and_steps_are_the_summarys(page: Page, summary: dict[str, Any]) -> None:
    assert f"{summary['proxy']['validation']['overall']['bits_per_byte']:.3f}" in page.text
    for name, step in summary["steps"].items():
        row = next(row for _, rows in page.tables for row in rows if row[:1] == [name] and len(row) == 11)
        assert row[1] == f"{step['seconds']:.2f}"
        assert row[4] == (f"{step['amount']:,}" if step["unit"] else "–")
        if step["bytes_in"] is not None:
            assert row[7] == f"{step['bytes_in'] / 1e6:,.2f}"
            assert float(row[8].replace(",", "")) == pytest.approx(step["bytes_in"] / 1e6 / step["seconds"], abs=0.005)


def test_languages_lengths_dates_and_hosts_add_up(page: Page, summary: dict[str, Any]) -> None:
    by_length = [rows[1:] for _, rows in page.tables if rows[0][:2] == ["text, bytes", "documents read"]]
    for source, rows in zip(summary["sources"].values(), by_length, strict=True):
        read, kept = (sum(int(row[n]) for row in rows if row) for n in (1, 2))
        assert read == source["read"] - len(source["unreadable"])
        assert kept == source["kept"]
    web = summary["sources"]["web"]
    (by_day,) = (rows[1:] for _, rows in page.tables if rows[0][:2] == ["date", "documents read"])
    assert [row[:3] for row in by_day if row] == [["2026-01-02", str(web["read"] - 1), str(web["kept"])]]
    for name, found in (("host", web["hosts"]), ("language", [[n, c] for n, c in web["languages"].items()])):
        rows = [
            row for _, rows in page.tables if rows[0][:1] == [name] and len(rows[0]) == 6 for row in rows[1:] if row
        ]
        assert sorted((row[0], int(row[1])) for row in rows) == sorted((each[0], each[1]) for each in found)


def test_every_reason_shows_its_documents_with_the_passage_marked(
    page: Page, root: Path, summary: dict[str, Any]
) -> None:
    words = " ".join(page.text.split())
    for reason, found in reported.evidence(root, summary)["web"].examples.items():
        for example in found:
            assert f"id {example['id']}" in words, reason
            assert example["note"] in page.text
    assert "mark" in page.tags


def test_what_could_not_be_read_is_named_with_file_byte_and_cause(page: Page, summary: dict[str, Any]) -> None:
    (damage,) = summary["sources"]["web"]["unreadable"]
    (rows,) = page.rows("unreadable")
    assert rows[0][0].endswith(EVIL_FILE)
    assert rows[0][1:] == [f"{damage['offset']:,}", damage["cause"]]


def poisoned(summary: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The summary with a text wherever something from outside can stand."""
    found = copy.deepcopy(dict(summary))
    web = found["sources"]["web"]
    web["unreadable"] = [{"file": text, "offset": 1, "cause": text}]
    web["files_without_documents"] = [{"file": text, "found": text}]
    web["files"] = [{"file": text, "documents": 1, "unreadable": 1}]
    web["languages"] = {text: 3}
    web["kept_languages"] = {text: 1}
    web["hosts"] = [[text, 3, 1]]
    web["other_records"] = {text: 2}
    web["clusters"] = {"sizes": [[1, 2], [4, 1]], "largest": [{"copies": 5, "id": 1, "url": text}]}
    web["bands"][0]["best"][0] |= {"url": text, "text": text}
    return found


def test_what_came_from_the_web_is_text_and_never_markup(root: Path, summary: dict[str, Any]) -> None:
    def page(text: str, url: str) -> str:
        found = reported.evidence(root, summary)
        found["web"].examples["kept"][0].update(url=text, text=text, marks=[[3, 20], [30, 90]], note=text)
        found["web"].examples["kept"][1].update(url=url, text="", note="")
        return render(poisoned(summary, text), found)

    made = page(EVIL + "\x00\x07\ud800", "javascript:alert(1)")
    harmless = Page(page("x" * len(EVIL), "about:blank"))
    found = Page(made)
    assert found.tags == harmless.tags
    assert found.links == harmless.links
    assert found.handlers == harmless.handlers == []
    assert EVIL not in made
    assert not set(made) & set("\x00\x07\u202e\ud800")
    shown = EVIL.replace("\u202e", r"\u202e") + r"\x00\x07\ud800"
    # Languages, hosts, other records, clusters, bands, files, their damage and its cause, examples and their notes.
    assert found.text.count(shown) >= 11


def test_links_lead_into_the_page_or_to_the_web(page: Page) -> None:
    for link in page.links:
        assert link.startswith(("#", "https://", "http://"))
    assert not any("javascript" in link for link in page.links)


def test_only_the_pages_own_script_may_run_and_nothing_is_loaded(root: Path) -> None:
    made = (root / "report.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert policy
    assert policy[1].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-")
    assert not re.search(r"@import|url\((?!data:)", made.split("</style>")[0])
    (script,) = re.findall(r"<script>(.*?)</script>", made, re.DOTALL)
    assert policy[1].endswith(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'")
    # Any other is data, which no browser runs.
    assert set(re.findall(r"<script([^>]*)>", made)) <= {""} | set(
        re.findall(r'<script( type="application/json"[^>]*)>', made)
    )


def test_where_there_is_no_room_the_numbers_stay(
    root: Path, summary: dict[str, Any], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "LIMIT", 1)
    monkeypatch.setattr(report, "ROOMS", [*report.ROOMS[:-1], replace(report.ROOMS[-1], sources=1)])
    found = Page(render(summary, reported.evidence(root, summary)))
    assert found.rows("sources") == page.rows("sources")
    assert found.rows("reasons-table") == page.rows("reasons-table")
    assert "No room but in the tables: 1 smaller source" in found.text
    assert "article" in page.tags
    assert "article" not in found.tags


def test_the_page_is_small_however_large_the_run(root: Path, summary: dict[str, Any]) -> None:
    many = copy.deepcopy(summary)
    found = reported.evidence(root, summary)
    long = {"id": 1, "url": "https://long.example/" + "x" * 5000, "text": "&" * 500, "marks": [], "note": "<" * 200}
    web = many["sources"]["web"]
    web["dropped"] = {f"reason_{n}": 7 for n in range(300)}
    web["unreadable"] = [{"file": "f" * 200, "offset": n, "cause": "c" * 200} for n in range(50_000)]
    web["languages"] = {f"l{n}": n for n in range(500)}
    web["statistics"]["days"] = {
        kind: {f"{year:04}-01-01": 1 for year in range(1, 9999)} | {"unknown": 1} for kind in ("read", "kept")
    }
    examples = {reason: [long] * 10 for reason in web["dropped"]}
    evidence = {**found, "web": report.Evidence(found["web"].sample, examples)}
    page = render(many, evidence)
    assert len(page.encode()) < 5_000_000
    assert Page(page).rows("reasons-table")[0][299][1] == "7"


def test_studies_of_the_run_are_named_with_their_verdict(root: Path, summary: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "proxies").mkdir()
    result = {
        "verdict": {"accepted": True, "words": "better than the natural one", "comparisons": []},
        "sources": ["web", "books"],
        "natural": {"web": 0.6, "books": 0.4},
        "chosen": {
            "shares": {"web": 0.25, "books": 0.75},
            "intervals": {"web": [0.2, 0.3], "books": [0.7, 0.8]},
            "epochs": {"web": 1.0, "books": 2.5},
        },
        "targets": ["a"],
        "trials": [{}] * 3,
    }
    (tmp_path / "proxies/result.json").write_text(json.dumps(result))
    found = studies.of_run(str(tmp_path))
    page = Page(render(summary, reported.evidence(root, summary), found))
    assert "The chosen mixture is better than the natural one. 3 trials, 1 targets." in page.text
    assert "proxies/report.html" in page.links
    assert ["books", "40.0", "75.0", "70.0 to 80.0", "2.50"] in [row for _, rows in page.tables for row in rows]
    assert studies.of_run(str(root)) == []


def test_a_run_of_an_earlier_version_is_refused(root: Path, summary: dict[str, Any]) -> None:
    steps = {name: step for name, step in summary["steps"].items() if not name.endswith(".examples")}
    with pytest.raises(ValueError, match="an earlier version of crawlmill made it"):
        report.write(str(root), {**summary, "steps": steps})

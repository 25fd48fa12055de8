import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from corpus.strict import RecipeError
from pipeline import paging
from pipeline.cli import cli
from pipeline.finished import Run
from pipeline.inspect import duplicates, duplicates_view
from pipeline.inspect.duplicates import Wanted
from pipeline.summary import of_finished
from pipeline.web_text import JOINERS, visible

EARLIER = 1 << 63
# The pipeline writes 256; a few make many groups of few documents.
ROW_GROUP = 4


@dataclass(frozen=True)
class Planted:
    url: str
    text: str = "some text"
    reason: str | None = None
    duplicate_of: int | None = None
    similarity: float | None = None


def at(shard: int, row: int) -> int:
    return shard << 32 | row


def write_run(root: Path, sources: dict[str, list[list[Planted]]], against: Sequence[str] = ()) -> Path:
    """A finished run's folder as the pipeline leaves it, as far as `inspect` reads it."""
    summary: dict[str, Any] = {"sources": {}, "steps": {}, "recipe": {"dedup": {"against": list(against)}}}
    shard = 0
    for source, parts in sources.items():
        folders = {step: f"steps/{source}.{step}-{'0' * 12}" for step in ("read", "filter", "documents")}
        summary["steps"] |= {f"{source}.{step}": {"folder": folder} for step, folder in folders.items()}
        dropped = Counter(d.reason for part in parts for d in part if d.reason)
        files = [{"file": f"{source}-{n}.warc.gz", "documents": len(part)} for n, part in enumerate(parts)]
        summary["sources"][source] = {"dropped": dict(dropped), "files": files}
        for folder in folders.values():
            (root / folder).mkdir(parents=True)
            (root / folder / "step.json").write_text(json.dumps({"params": {"first_shard": shard}, "files": {}}))
        for number, part in enumerate(parts):
            ids = pa.array([at(shard, row) for row in range(len(part))], pa.uint64())
            documents = {
                "id": ids,
                "url": pa.array([d.url for d in part], pa.string()),
                "text": pa.array([d.text for d in part], pa.large_string()),
            }
            verdicts = {
                "id": ids,
                "reason": pa.array([d.reason for d in part], pa.string()),
                "duplicate_of": pa.array([d.duplicate_of for d in part], pa.uint64()),
                "similarity": pa.array([d.similarity for d in part], pa.float64()),
            }
            path = root / folders["read"] / f"part-{number:05d}.parquet"
            pq.write_table(pa.table(documents), path, row_group_size=ROW_GROUP)
            pq.write_table(pa.table(verdicts), root / folders["documents"] / f"verdicts-{number:05d}.parquet")
            shard += 1
    (root / "summary.json").write_text(json.dumps(summary, sort_keys=True))
    return root


WORDS = [f"word{n}" for n in range(100)]
FIRST = " ".join(WORDS)
SECOND = " ".join([*WORDS[:40], "otherwise", "put", *WORDS[43:]])
NASTY = "[bold]loud[/bold] \x1b[31mred\x1b[0m\r\x07 \u202eturned [/] שלום مرحبا :smile:\n\nnext"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sources: duplicates within a part, across parts, across sources, of dropped documents, of earlier runs."""
    filler = [Planted(f"https://filler.example/{n}") for n in range(9)]
    earlier = [[Planted("https://old.example/0"), Planted("https://old.example/1", FIRST, "gopher_too_few_words")]]
    old = write_run(tmp_path / "old", {"before": earlier})
    gone = tmp_path / "gone"
    web = [
        [
            *filler,
            Planted("https://a.example/original", FIRST),
            Planted("https://a.example/near", SECOND, "near_duplicate", at(0, 9), 0.8),
            Planted("https://a.example/status", "", "http_status"),
        ],
        [],
        [
            Planted("https://b.example/exact", FIRST.upper(), "exact_duplicate", at(0, 10), 1.0),
            Planted("https://a.example/original", "news", "url_duplicate", at(0, 9), None),
            Planted("https://b.example/old", SECOND, "near_duplicate", EARLIER | 1, 0.95),
            Planted("https://b.example/gone", SECOND, "near_duplicate", EARLIER | 1 << 56 | at(7, 7), 0.9),
            Planted("https://b.example/lost", SECOND, "near_duplicate", EARLIER | at(0, 99), 1.0),
        ],
    ]
    books = [[*filler[:5], Planted("book", NASTY + FIRST, "contained_duplicate", at(0, 9), 0.85)]]
    return write_run(tmp_path / "run", {"web": web, "books": books}, [str(old), str(gone)])


def inspect(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["inspect", str(folder), *options])


def as_json(folder: Path, *options: str) -> list[dict[str, Any]]:
    done = inspect(folder, "--duplicates", "--json", *options)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def on_terminal(folder: Path, width: int, limit: int | None = None) -> list[str]:
    """What a terminal of that width gets, without its colours."""
    run = Run(str(folder), of_finished(str(folder)))
    sums = duplicates.count(run, Wanted(), lambda done, parts: None)
    out = io.StringIO()
    found = duplicates.find(run, Wanted(), sums, limit, texts=True)
    screen = Console(file=out, force_terminal=True, width=width, height=10_000)
    paging.show(screen, duplicates_view.blocks(screen, sums, found, limit))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


def test_every_duplicate_is_a_json_line_beside_the_document_it_repeats(folder: Path) -> None:
    lines = {line["url"]: line for line in as_json(folder)}
    summary = of_finished(str(folder))
    dropped = sum((Counter(s["dropped"]) for s in summary["sources"].values()), Counter[str]())
    assert Counter(line["reason"] for line in lines.values()) == {r: dropped[r] for r in duplicates.REASONS}
    original = {"id": at(0, 9), "url": "https://a.example/original", "reason": None}
    near = {"id": at(0, 10), "url": "https://a.example/near", "reason": "near_duplicate"}
    assert lines["https://a.example/near"] == {**near, "similarity": 0.8, "duplicate_of": original}
    assert lines["https://b.example/exact"]["duplicate_of"] == near, "dropped itself, in another part"
    assert lines["https://a.example/original"]["similarity"] is None, "of a URL"
    assert lines["book"]["id"] == at(3, 5)
    assert lines["book"]["duplicate_of"] == original, "in another source"


def test_a_document_of_an_earlier_run_is_named_with_the_runs_folder(folder: Path) -> None:
    repeated = {line["url"]: line["duplicate_of"] for line in as_json(folder)}
    old, gone = str(folder.parent / "old"), str(folder.parent / "gone")
    rejected = {"url": "https://old.example/1", "reason": "gopher_too_few_words"}
    nothing = {"url": None, "reason": None, "gone": True}
    assert repeated["https://b.example/old"] == {"id": 1, **rejected, "run": old}
    assert repeated["https://b.example/gone"] == {"id": at(7, 7), **nothing, "run": gone}
    assert repeated["https://b.example/lost"] == {"id": at(0, 99), **nothing, "run": old}
    shown = inspect(folder, "--duplicates").output
    assert f"repeats 1 of before of the earlier run {old}, dropped as gopher_too_few_words\n" in shown
    assert f"repeats {at(7, 7)} of the earlier run {gone}, which is gone\n" in shown


def test_an_earlier_run_whose_steps_were_cleared_is_gone(folder: Path) -> None:
    for part in (folder.parent / "old/steps").glob("before.read-*/part-*"):
        part.unlink()
    repeated = {line["url"]: line["duplicate_of"] for line in as_json(folder)}
    assert repeated["https://b.example/old"]["gone"] is True


def test_people_see_counts_and_where_the_texts_differ(folder: Path) -> None:
    shown = inspect(folder, "--duplicates").output
    counts = "4 near_duplicate, 1 exact_duplicate, 1 url_duplicate, 1 contained_duplicate"
    assert shown.splitlines()[0] == f"7 removed as duplicates: {counts}"
    near = f"""
{at(0, 10)} of web: near_duplicate, similarity 0.800
  https://a.example/near
  repeats {at(0, 9)} of web, kept
  https://a.example/original
  different from word 41 on:
    removed:  otherwise put
    repeated: word40 word41 word42
"""
    assert near in shown
    assert "the same text but for case and white space" in shown
    assert "the same URL" in shown
    assert shown.count(" of web: ") + shown.count(" of books: ") == 7


def test_the_filters_choose_and_leave_the_counts_alone(folder: Path) -> None:
    def urls(*options: str) -> list[str]:
        return [line["url"].rsplit("/", 1)[-1] for line in as_json(folder, *options)]

    assert urls() == ["near", "exact", "original", "old", "gone", "lost", "book"], "by id"
    assert urls("--limit", "2") == ["near", "exact"]
    assert urls("--limit", "0") == urls()
    assert urls("--reason", "near_duplicate") == ["near", "old", "gone", "lost"]
    assert urls("--source", "books") == ["book"]
    assert urls("--source", "books", "--reason", "near_duplicate") == []
    assert urls("--id", str(at(0, 10))) == ["near", "exact"], "what it repeats, and what repeats it"
    shown = inspect(folder, "--duplicates", "--reason", "near_duplicate", "--limit", "1").output
    assert shown.startswith("7 removed as duplicates: ")
    assert shown.endswith("1 of 4 shown; --limit 0 shows all\n")
    nothing = inspect(folder, "--duplicates", "--source", "books", "--reason", "near_duplicate")
    assert nothing.output.endswith("None of them is what was asked for.\n")


def test_people_get_twenty_unless_they_ask_for_more(tmp_path: Path) -> None:
    copies = [Planted(f"https://copy.example/{n}", FIRST, "exact_duplicate", 0, 1.0) for n in range(150)]
    folder = write_run(tmp_path / "run", {"web": [[Planted("https://a.example", FIRST), *copies]]})
    assert inspect(folder, "--duplicates").output.count("https://copy.example/") == 20
    assert inspect(folder, "--duplicates", "--limit", "0").output.count("https://copy.example/") == 150
    assert len(as_json(folder)) == 150


def test_a_run_without_duplicates_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"web": [[Planted("https://a.example")]]})
    assert inspect(folder, "--duplicates").output == "0 removed as duplicates\n"
    assert as_json(folder) == []


def test_verdicts_that_disagree_with_the_summary_are_refused(folder: Path) -> None:
    summary = of_finished(str(folder))
    summary["sources"]["web"]["dropped"]["near_duplicate"] = 17
    (folder / "summary.json").write_text(json.dumps(summary))
    done = inspect(folder, "--duplicates", "--json")
    assert isinstance(done.exception, ValueError)
    assert "17 documents of web dropped as near_duplicate, and the verdicts have 4" in str(done.exception)
    assert done.output == "", "not a single line before the sums agree"


def test_verdicts_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"web": [[Planted("https://a.example")]]})
    (path,) = folder.glob("steps/*/verdicts-*")
    pq.write_table(pq.read_table(path).select(["id", "reason"]), path)
    refused = inspect(folder, "--duplicates").exception
    assert isinstance(refused, ValueError)
    assert re.search("has no duplicate_of and no similarity.*run the recipe again", str(refused))


def test_a_repeated_document_that_is_nowhere_is_an_error(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"web": [[Planted("https://a.example", "", "url_duplicate", at(5, 5))]]})
    assert str(at(5, 5)) in str(inspect(folder, "--duplicates").exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--duplicates", "--reason", "near_duplicat"], 'did you mean "near_duplicate"?'),
        (["--duplicates", "--source", "wab"], 'did you mean "web"?'),
        (["--duplicates", "--id", "777"], "there is no document 777"),
        (["--duplicates", "--id", str(at(9, 9))], f"there is no document {at(9, 9)}"),
        (["--duplicates", "--id", "3"], "document 3 was kept; it repeats nothing"),
        (["--duplicates", "--id", "11"], "document 11 was dropped as http_status"),
        (["--duplicates", "--id", "3", "--source", "web"], "leave out --reason and --source"),
        (["--duplicates", "--limit", "-1"], "--limit"),
    ],
)
def test_what_cannot_be_shown_is_refused(folder: Path, options: list[str], said: str) -> None:
    done = inspect(folder, *options)
    assert done.exit_code == 2
    assert said in " ".join(re.sub("[│╭╮╰╯─]", "", done.output).split())


def test_a_folder_without_a_finished_run_is_refused_as_by_report(tmp_path: Path) -> None:
    refused = inspect(tmp_path, "--duplicates").exception
    assert isinstance(refused, RecipeError)
    assert str(refused) == str(CliRunner().invoke(cli, ["report", str(tmp_path)]).exception)


def test_texts_are_read_for_those_shown_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, list[str]]] = []
    real = pq.ParquetFile.read_row_group

    def watched(self: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        read.append((group, columns))
        return real(self, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    as_json(folder)
    assert read
    assert all(columns == ["id", "url"] for _, columns in read)
    read.clear()
    assert inspect(folder, "--duplicates", "--limit", "1").exit_code == 0
    assert read == [(2, ["id", "url", "text"])], "rows 9 and 10 of one part, in groups of four"


@pytest.mark.parametrize("sizes", [[0, 0], [1, 9, 4, 3], [40, 0, 17]])
def test_documents_are_found_by_id_whatever_batch_they_come_in(tmp_path: Path, sizes: list[int]) -> None:
    parts = [[Planted(f"https://{shard}.example/{row}") for row in range(size)] for shard, size in enumerate(sizes)]
    folder = write_run(tmp_path / "run", {"web": parts})
    run = Run(str(folder), of_finished(str(folder)))
    there = {at(shard, row): document.url for shard, part in enumerate(parts) for row, document in enumerate(part)}
    random = np.random.default_rng(0)
    for _ in range(20):
        asked = [at(int(shard), int(row)) for shard, row in random.integers(0, (len(sizes) + 1, 45), (12, 2))]
        found = run.documents(asked, texts=False)
        assert {number: document.url for number, document in found.items()} == {
            number: there[number] for number in asked if number in there
        }


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_no_line_wraps_and_nothing_of_the_web_acts(tmp_path: Path, width: int) -> None:
    url = "https://long.example/" + "segment/" * 60 + "?last=1"
    web = [
        Planted("https://a.example/" + NASTY, FIRST),
        Planted(url, NASTY * 3, "near_duplicate", 0, 0.75),
        Planted("https://b.example/", "语言" * 90 + NASTY + "x" * 10_000, "contained_duplicate", 0, 1.0),
    ]
    folder = write_run(tmp_path / "run", {"web": [web]})
    lines = on_terminal(folder, width)
    assert max(cell_len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert all(visible(line) == line for line in lines)
    assert "[bold]loud[/bold] \\x1b[31mred" in text
    assert "?last=1" in text, "where URLs differ"
    piped = inspect(folder, "--duplicates").output
    assert f"\n  {url}\n" in piped
    assert "\x1b" not in piped
    counts_wrap = width == 60
    assert len(lines) == len(piped.splitlines()) + counts_wrap


@given(st.text())
def test_what_is_visible_moves_nothing(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c in JOINERS for c in shown)
    assert len(shown.splitlines()) <= 1
    assert visible(shown) == shown


def test_the_histogram_counts_each_similarity_once_and_shows_the_few(tmp_path: Path) -> None:
    similarities = [0.75, 0.79, 0.8, 0.85, 0.95, 1.0] + [0.9] * 500
    copies = [Planted("https://copy.example/", FIRST, "near_duplicate", 0, s) for s in similarities]
    folder = write_run(tmp_path / "run", {"web": [[Planted("https://a.example", FIRST), *copies]]})
    lines = inspect(folder, "--duplicates", "--limit", "1").output.splitlines()[2:7]
    assert [line.split() for line in lines] == [
        ["0.75-0.80", "2", "█"],
        ["0.80-0.85", "1", "█"],
        ["0.85-0.90", "1", "█"],
        ["0.90-0.95", "500", "█" * 40],
        ["0.95-1.00", "2", "█"],
    ]

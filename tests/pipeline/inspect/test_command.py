"""What `inspect` tells of a run, held against the run's Parquet files and token shards as other readers have them."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from rich.text import Text

from filters import languages
from filters.gopher import QUALITY
from pipeline import paging
from pipeline.cluster import Cluster
from pipeline.inspect import command as inspection
from pipeline.recipe import load
from pipeline.run import run
from pipeline.web_text import marked
from tests.conftest import GERMAN, html, prose, response
from tests.pipeline.inspect.run_oracle import Oracle, check

FOOTER = "Every page of this site has this very line at its end, and so it goes."
NASTY = "https://nasty.example/\x1b[31m\u202e[bold]"
TWICE = "https://www.twice.example/page/"
WEB, BOOKS, SPARE = 70, 22, 8

RULES = {"gopher_too_few_words", "c4_curly_bracket", "gopher_duplicate_paragraphs"}
COPIES = {"exact_duplicate", "near_duplicate"}
REASONS = {"http_status", "html_language_not_wanted", "language_not_wanted", "reference_low_score", *RULES, *COPIES}
ROOT = Path(__file__).parents[3]

RECIPE = """
name: inspected
sources:
  web:
    kind: warc
    paths: {crawl}/*.warc.gz
    language: {{keep: [en], min_score: 0.5}}
    rules: [gopher_quality, gopher_repetition, c4]
    reference: {{positives: {{kind: jsonl, paths: {crawl}/books.jsonl}}, keep: 0.9}}
    dedup: {{exact: true, lines: {{min_characters: 100}}, minhash: {{bands: 14, rows: 8, ngram: 5}}}}
  books: {{kind: jsonl, paths: {crawl}/books.jsonl}}
  spare: {{kind: jsonl, paths: {crawl}/spare.jsonl, dedup: {{lines: {{first: true, min_characters: 1}}}}}}
mixture: {{tokens: 40_000, weights: {{web: 0.9, books: 0.1}}, validation: 0.1, missing: report}}
tokens: {{tokenizer: {{train: 400}}, shard_tokens: 9_000, also: [llm.c, text]}}
"""


def pages() -> list[bytes]:
    """Records of WARC: pages that stay, and one or more for each way to go."""
    texts = prose(WEB, 6)
    found = [
        response(f"https://site{n % 5}.example/{n}", html(f"{t}\n\n{FOOTER}").encode()) for n, t in enumerate(texts)
    ]
    braces = texts[0].replace(".", ". {", 1)
    found += [
        response("https://copy.example/exact", html(f"{texts[2]}\n\n{FOOTER}").encode()),
        response("https://copy.example/near", html(f"{texts[3]} It ends otherwise.\n\n{FOOTER}").encode()),
        response("https://other.example/german", html(GERMAN).encode()),
        response("https://plain.example/german", GERMAN.encode(), content_type="text/plain"),
        response("https://other.example/short", html("Too short to say much.").encode()),
        response("https://other.example/missing", b"<p>gone</p>", status="404 Not Found"),
        response("https://other.example/braces", html(braces).encode()),
        response(
            "https://other.example/repeats", html(texts[4] + "\n\n" + "The same paragraph again.\n\n" * 9).encode()
        ),
        response(NASTY, html("\u202e [bold] Not \x07 much here either.").encode()),
        response(TWICE, html("The first of two.").encode()),
        response(TWICE, html("The second of two.").encode()),
    ]
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over pages of two files and two corpora, one of which no mixture has."""
    folder = tmp_path_factory.mktemp("inspected")
    found = pages()
    (folder / "a.warc.gz").write_bytes(b"".join(found[::2]))
    (folder / "b.warc.gz").write_bytes(b"".join(found[1::2]))
    texts = prose(WEB + BOOKS + SPARE, 6)[WEB:]
    books, spare = texts[:BOOKS], [f"{FOOTER}\n{text}" for text in texts[BOOKS:]]
    for name, kind in (("books", books), ("spare", spare)):
        lines = [json.dumps({"id": f"{name}-{n}", "text": text}) + "\n" for n, text in enumerate(kind)]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    (folder / "recipe.yaml").write_text(RECIPE.format(crawl=folder))
    with Cluster(0) as cluster:
        run(load(str(folder / "recipe.yaml")), str(folder / "run"), cluster, lambda _: None, lambda _: None)
    return folder / "run"


def inspect(root: Path, *options: str, **environment: str) -> Result:
    return CliRunner().invoke(inspection.inspect, [str(root), *options], env=environment)


def as_json(root: Path, *options: str) -> list[dict[str, Any]]:
    done = inspect(root, *options, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return [json.loads(line) for line in done.output.splitlines()]


def refusal(root: Path, *options: str) -> str:
    done = inspect(root, *options)
    assert done.exit_code == 2
    return " ".join(done.output.split())


def test_the_story_of_every_url_is_what_the_files_say(root: Path) -> None:
    oracle = Oracle(root)
    told = 0
    for url in {row["row"]["url"] for row in oracle.documents.values()}:
        stories = as_json(root, "--url", url)
        assert [s["id"] for s in stories] == sorted(
            n for n, row in oracle.documents.items() if row["row"]["url"] == url
        )
        for story in stories:
            check(oracle, story)
        told += len(stories)
    assert told == len(oracle.documents) == WEB + 11 + BOOKS + SPARE
    reasons = {row["verdict"]["reason"] for row in oracle.documents.values()}
    assert reasons >= {None, *REASONS}
    assert max(oracle.uses.values()) > 1, "some are used several times"
    assert 0 in {oracle.uses[n] for n, row in oracle.documents.items() if row["kept"] and row["source"] == "books"}


def test_bounds_are_those_of_the_documents_language(root: Path) -> None:
    [story] = as_json(root, "--url", "https://other.example/short")
    bounds = {rule.name: rule.bound for rule in QUALITY.rules}
    assert {r["rule"]: r["bound"] for r in story["rules"] if r["family"] == "gopher_quality"} == bounds
    [story] = as_json(root, "--url", "https://plain.example/german")
    [words] = [rule for rule in story["rules"] if rule["signal"] == "words" and rule["side"] == "min"]
    assert story["language"] == "de"
    assert words["bound"] == bounds["gopher_too_few_words"] * languages.load()["de"].words


@pytest.mark.parametrize("number", ["0", str(2 << 32 | 7)])
def test_an_id_tells_the_story_of_its_url(root: Path, number: str) -> None:
    [story] = as_json(root, "--id", number)
    assert story in as_json(root, "--url", story["url"])


def test_a_story_for_people_has_what_the_json_has(root: Path) -> None:
    [story] = as_json(root, "--url", "https://other.example/braces")
    shown = inspect(root, "--url", story["url"]).output
    assert f"{story['id']} of web: dropped as c4_curly_bracket\n  {story['url']}\n" in shown
    assert f"byte {story['offset']:,}, row {story['row']}\n" in shown
    assert "    failed c4_curly_bracket: curly_bracket 1, at most 0  and was the first\n" in shown
    assert "    passed gopher_too_many_words: words " in shown
    assert "    no bound on: lines " in shown
    assert "  reference 0." in shown
    assert "[[{]]" in shown, "the passage that it was dropped for"


def kept(oracle: Oracle, source: str, times: Callable[[int], bool]) -> int:
    documents = oracle.documents.items()
    return next(n for n, row in documents if row["source"] == source and row["kept"] and times(oracle.uses[n]))


def test_people_read_where_a_kept_document_is_trained_on(root: Path) -> None:
    oracle = Oracle(root)
    [story] = as_json(root, "--id", str(kept(oracle, "web", lambda times: times > 1)))
    uses = story["training"]["uses"]
    shown = inspect(root, "--id", str(story["id"])).output
    assert f"{story['training']['tokens']} tokens, for training, used {len(uses)} times\n" in shown
    for use in uses:
        assert (
            f"    {use['shard']['file']} document {use['shard']['document']}, token {use['shard']['offset']:,}; "
            in shown
        )
    assert story["characters"]["judged"] - story["characters"]["kept"] > len(FOOTER), "a repeated line was taken away"
    assert f"{story['characters']['judged']} judged, {story['characters']['kept']} kept" in shown
    undrawn = inspect(root, "--id", str(kept(oracle, "books", lambda times: not times))).output
    assert "tokens, for training, not drawn\n" in undrawn
    spare = inspect(root, "--url", "spare-3").output
    assert "  spare is in no mixture\n" in spare
    assert " read, " in spare, "its repeated lines went before it was judged"


def test_another_spelling_of_the_url_is_the_same_page_and_it_is_said(root: Path) -> None:
    shown = inspect(root, "--url", "http://twice.example/page").output
    assert shown.startswith("none of exactly http://twice.example/page, but 2 of the same page\n")
    assert shown.count("  https://www.twice.example/page/\n") == 2
    assert inspect(root, "--url", TWICE, "--limit", "1").output.count("too_few_words: words") == 1


def test_an_unknown_url_is_refused_with_the_nearest_of_its_host(root: Path) -> None:
    said = refusal(root, "--url", "https://other.example/misin")
    assert "no document of" in said
    assert said.split("are: ")[1].split()[0] == "https://other.example/missing"
    assert said.count("https://other.example/") == 6, "the one asked for and five"
    assert "none of its host" in refusal(root, "--url", "https://nowhere.example/")
    assert "none of its host" in refusal(root, "--url", "https://site1.example/1", "--source", "books")


def test_a_rule_shows_what_it_dropped_with_numbers_and_the_passage(root: Path) -> None:
    shown = inspect(root, "--rule", "gopher_duplicate_paragraphs").output
    assert (
        shown.splitlines()[0]
        == f"1 of {WEB + 11 + BOOKS + SPARE} documents were dropped as gopher_duplicate_paragraphs"
    )
    assert "gopher_repetition_duplicate_paragraph_ratio 0." in shown
    assert "[[The same paragraph again.]]" in shown
    [dropped] = as_json(root, "--rule", "gopher_duplicate_paragraphs")
    assert dropped["url"] == "https://other.example/repeats"
    assert dropped["cause"].items() >= {"side": "max", "bound": 0.3}.items()


@pytest.mark.parametrize("reason", [None, *sorted(REASONS)])
def test_every_reason_can_be_asked_for(root: Path, reason: str | None) -> None:
    oracle = Oracle(root)
    expected = {n for n, row in oracle.documents.items() if row["verdict"]["reason"] == reason}
    told = as_json(root, "--rule", reason or "kept")
    assert {document["id"] for document in told} == expected
    assert {document["reason"] for document in told} <= {reason}


def test_a_cutoff_and_a_duplicate_say_by_how_much(root: Path) -> None:
    low = as_json(root, "--rule", "reference_low_score")
    assert all(d["cause"]["signal"] == "reference_score" and d["cause"]["value"] <= d["cause"]["bound"] for d in low)
    [near] = as_json(root, "--rule", "near_duplicate")
    assert near["repeats"]["similarity"] > 0.75
    shown = inspect(root, "--rule", "near_duplicate").output
    assert f"repeats {near['repeats']['id']}, kept, similarity 0." in shown
    assert "  │ [[" in shown, "what it shares with the other text"


def test_of_many_a_sample_is_shown_and_always_the_same_one(root: Path) -> None:
    everything = as_json(root, "--rule", "kept")
    shown = as_json(root, "--rule", "kept", "--limit", "5")
    assert len(everything) > 20
    assert [d["id"] for d in shown] == sorted(d["id"] for d in shown)
    assert [d for d in everything if d in shown] == shown
    assert shown != everything[:5]
    assert shown == as_json(root, "--rule", "kept", "--limit", "5")
    people = inspect(root, "--rule", "kept").output
    assert people.splitlines()[0].endswith("documents were kept; 20 of them, drawn at random")
    assert people.count(": kept\n") == 20
    sample = as_json(root, "--sample", "30")
    assert len({d["id"] for d in sample}) == 30
    assert {d["source"] for d in as_json(root, "--sample", "9", "--source", "books")} == {"books"}


def test_a_language_shows_its_documents_with_their_fate(root: Path) -> None:
    german = as_json(root, "--language", "de")
    assert {d["url"] for d in german} == {"https://other.example/german", "https://plain.example/german"}
    assert {d["reason"] for d in german} == {"html_language_not_wanted", "language_not_wanted"}
    assert "Die Maschine liest die Seiten" in inspect(root, "--language", "de").output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give one of --rule, --url, --id, --duplicates, --language, --sample, not none"),
        (["--rule", "kept", "--sample", "3"], "not --rule and --sample"),
        (["--duplicates", "--language", "en"], "not --duplicates and --language"),
        (["--rule", "kept", "--reason", "near_duplicate"], "--reason is for --duplicates"),
        (["--sample", "3", "--limit", "3"], "leave out --limit"),
        (["--sample", "0"], "--sample"),
        (["--rule", "gofer_too_few_words"], 'did you mean "gopher_too_few_words"'),
        (["--rule", "contained_duplicates"], "unknown reason"),
        (["--language", "dee"], 'did you mean "de"'),
        (["--sample", "3", "--source", "wab"], 'did you mean "web"'),
        (["--id", str(9 << 32)], f"there is no document {9 << 32}"),
        (["--id", "0", "--source", "books"], "there is no document 0 in books"),
    ],
)
def test_what_cannot_be_shown_is_refused(root: Path, options: list[str], said: str) -> None:
    assert said in refusal(root, *options)


def test_a_rule_that_dropped_nothing_says_so(root: Path) -> None:
    assert inspect(root, "--rule", "gopher_too_many_hashes").output.startswith("0 of ")
    assert as_json(root, "--rule", "gopher_too_many_hashes") == []


def test_nothing_of_the_web_acts_on_a_terminal(root: Path) -> None:
    for options in (["--url", NASTY], ["--rule", "gopher_too_few_words"]):
        shown = inspect(root, *options).output
        assert "nasty.example/\\x1b[31m\\u202e[bold]" in shown
        assert not set(shown) & set("\x1b\u202e\x07")


def test_a_passage_is_coloured_on_a_terminal_and_bracketed_elsewhere() -> None:
    text, marks = "one\ttwo\nthree \x1b[31m", [(4, 10)]
    piped, coloured = Console(file=io.StringIO(), width=40), Console(file=io.StringIO(), force_terminal=True, width=40)
    assert marked(piped, text, marks).plain == "  │ one [[two\n  │ th]]ree \\x1b[31m"
    shown = marked(coloured, text, marks)
    assert shown.plain == "  │ one two\n  │ three \\x1b[31m"
    assert [shown.plain[s.start : s.end] for s in shown.spans if "yellow" in str(s.style)] == ["two", "th"]
    plain = Console(file=io.StringIO(), force_terminal=True, no_color=True)
    assert "[[two" in marked(plain, text, marks).plain


def test_only_what_is_longer_than_the_terminal_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", lambda lines: paged.extend(lines))
    for terminal, blocks in ((True, 5), (True, 30), (False, 30)):
        out = io.StringIO()
        screen = Console(file=out, force_terminal=terminal, width=80, height=10)
        paging.show(screen, (Text(f"line {n}") for n in range(blocks)))
        lines = [f"line {n}" for n in range(blocks)]
        long = terminal and blocks > 10
        assert ("".join(paged) if long else out.getvalue()).splitlines() == lines
        assert bool(paged) == long
        paged.clear()


def test_a_closed_pipe_ends_it_without_a_word(root: Path) -> None:
    command = f"{sys.executable} -m pipeline.cli inspect {root} --sample 90 --json | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    line, code = done.stdout.splitlines()
    assert json.loads(line)["id"] >= 0
    assert (code, done.stderr) == ("0", "")

import copy
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from corpus import shards
from corpus.urls import same_url
from pipeline.cluster import Cluster
from pipeline.compare.comparison import Amount, Comparison, Setting, compare
from pipeline.compare.moves import CHARACTERS, EACH, NOT_READ, SHOWN, Example, Move, moves_of
from pipeline.compare.page import crosstab, render, tables, verdict, write
from pipeline.finished import Run
from pipeline.recipe import load
from pipeline.run import run
from pipeline.summary import of_finished
from pipeline.verdicts import KEPT
from tests.conftest import GERMAN, prose

EVIL = "<script>alert(1)</script>{{ 7*7 }}\"onload='x'<img/src=x/onerror=alert(1)>"
# Documents by their number of words; a rule asks for 50 in one run and for 100 in the other.
LONG, MIDDLE, SHORT = 140, 70, 20
EVIL_URL = f"https://evil.example/{EVIL}"


def nothing(_done: int, _all: int) -> None:
    pass


def page(url: str, words: int, text: str) -> dict[str, str]:
    return {"url": url, "text": " ".join(text.split()[:words]) + "."}


def crawled(rows: list[dict[str, str]], path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")


@dataclass(frozen=True)
class Planted:
    """Folders of finished runs. `strict` has read what `loose` has, `later` other files with some of its URLs, and
    `evil` what would like to be markup.
    """

    loose: str
    strict: str
    later: str
    evil: str


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("runs")
    texts = prose(62, sentences=9)
    sizes = [LONG] * 8 + [MIDDLE] * 30 + [SHORT] * 4
    pages = [page(f"https://a.example/{n}", size, texts[n]) for n, size in enumerate(sizes)]
    evil = page(EVIL_URL, MIDDLE, f"{EVIL} {texts[45]}")
    pages.insert(3, evil)
    pages += [{**pages[0], "url": "https://copy.example/"}, page("https://german.example/", 80, GERMAN)]
    crawled(pages[:20], folder / "a.jsonl")
    crawled(pages[20:], folder / "b.jsonl")
    # URLs of the first crawl and new ones, several times, spelt in two ways, and none, with texts of any fate.
    rng = np.random.default_rng(5)
    urls = [f"{s}a.example/{n}" for n in range(12) for s in ("http://", "https://www.", "https://")]
    urls += ["https://new.example/", "", ""]
    again = [
        page(url, int(rng.choice([LONG, MIDDLE, SHORT])), texts[int(rng.integers(46, 62))])
        for url in rng.permutation(urls + urls[::2]).tolist()
    ]
    crawled([{k: v for k, v in row.items() if v} for row in again], folder / "c.jsonl")
    crawled([evil, {**evil, "text": evil["text"] + EVIL}], folder / "evil.jsonl")
    crawled([page(f"https://extra.example/{n}", LONG, texts[n]) for n in range(3)], folder / "extra.jsonl")
    both, later = [str(folder / "a.jsonl"), str(folder / "b.jsonl")], [str(folder / "c.jsonl")]
    rules: list[Any] = [{"gopher_quality": {"min_words": 100}}, "c4"]
    more = {"extra": {"kind": "jsonl", "paths": [str(folder / "extra.jsonl")]}}
    with Cluster(0) as cluster:
        return Planted(
            finished(cluster, folder / "loose", both, ["gopher_quality"], {}),
            finished(cluster, folder / "strict", both, rules, more),
            finished(cluster, folder / "later", later, ["gopher_quality"], {}),
            finished(cluster, folder / "evil", [str(folder / "evil.jsonl")], ["gopher_quality"], {}),
        )


def finished(cluster: Cluster, root: Path, paths: list[str], rules: list[Any], more: dict[str, Any]) -> str:
    web = {"kind": "jsonl", "paths": paths, "rules": rules, "language": {"keep": ["en"], "min_score": 0.0}}
    recipe = root.with_suffix(".yaml")
    recipe.write_text(
        yaml.safe_dump({"name": "planted", "sources": {"web": {**web, "dedup": {"exact": True}}, **more}})
    )
    run(load(str(recipe)), str(root), cluster, lambda _: None, lambda _: None)
    return str(root)


def held(here: str, there: str) -> Comparison:
    return compare(here, of_finished(here), there, of_finished(there), nothing)


@pytest.fixture(scope="module")
def strict_against_loose(runs: Planted) -> Comparison:
    return held(runs.strict, runs.loose)


def fates(root: str) -> list[tuple[str, str]]:
    """URL and fate of every document of web, in order, one by one."""
    found: list[tuple[str, str]] = []
    for part in Run(root, of_finished(root)).parts:
        if part.source == "web":
            urls = shards.read(part.documents, ["url"])["url"].to_pylist()
            reasons = shards.read(part.verdicts, ["reason"])["reason"].to_pylist()
            found += [(url, reason or KEPT) for url, reason in zip(urls, reasons, strict=True)]
    return found


def by_url(here: str, there: str) -> Counter[tuple[str, str]]:
    """The moves between two runs as `moves_of` says they are, document by document."""
    waiting: list[dict[str, list[str]]] = [defaultdict(list), defaultdict(list)]
    moves: Counter[tuple[str, str]] = Counter()
    for side, root in enumerate((here, there)):
        for url, fate in fates(root):
            if url:
                waiting[side][same_url(url)].append(fate)
            else:
                moves[(NOT_READ, fate) if side else (fate, NOT_READ)] += 1
    for url in {*waiting[0], *waiting[1]}:
        ours, theirs = (sorted(side.get(url, []), key=lambda fate: (fate != KEPT, fate)) for side in waiting)
        most = max(len(ours), len(theirs))
        pad = [[*side, *[NOT_READ] * (most - len(side))] for side in (ours, theirs)]
        moves.update(zip(*pad, strict=True))
    return moves


def counted(moves: list[Move]) -> Counter[tuple[str, str]]:
    return Counter({(move.here, move.there): move.documents for move in moves})


def test_documents_of_the_same_files_are_matched_by_their_place(
    runs: Planted, strict_against_loose: Comparison
) -> None:
    [web] = strict_against_loose.sources
    pairs = zip(fates(runs.strict), fates(runs.loose), strict=True)
    expected = Counter((here, there) for (_, here), (_, there) in pairs)
    assert web.documents.by == "place"
    assert counted(list(web.documents.moves)) == expected
    assert expected["gopher_too_few_words", KEPT] == 30
    assert expected["gopher_too_few_words", "gopher_too_few_stop_words"] == 1
    assert expected["exact_duplicate", "exact_duplicate"] == 1
    assert web.documents.kept_only_here == 0


@pytest.mark.parametrize("pair", [("loose", "later"), ("later", "strict"), ("later", "loose")])
def test_documents_of_other_files_are_matched_by_their_urls(runs: Planted, pair: tuple[str, str]) -> None:
    here, there = (getattr(runs, name) for name in pair)
    [web] = held(here, there).sources
    assert web.documents.by == "url"
    assert counted(list(web.documents.moves)) == by_url(here, there)
    assert sorted(web.documents.without_url) == [0, 3], "documents without a URL are nobody's"
    moved = {(move.here == NOT_READ, move.there == NOT_READ) for move in web.documents.moves}
    assert moved == {(False, False), (False, True), (True, False)}


@pytest.mark.parametrize("pair", [("strict", "loose"), ("loose", "later"), ("later", "strict")])
def test_all_sums_agree(runs: Planted, pair: tuple[str, str]) -> None:
    here, there = (getattr(runs, name) for name in pair)
    [web] = held(here, there).sources
    moves, ours, theirs = web.documents, *(of_finished(root)["sources"]["web"] for root in (here, there))
    both = moves.count(KEPT, KEPT)
    assert both + moves.kept_only_here == ours["kept"]
    assert both + moves.kept_only_there == theirs["kept"]
    for reason in {**ours["dropped"], **theirs["dropped"]}:
        assert moves.count(reason) == ours["dropped"].get(reason, 0)
        assert moves.count(None, reason) == theirs["dropped"].get(reason, 0)
    rows = crosstab(moves)
    for column, total in enumerate(rows[-1]["cells"]):
        assert sum(row["cells"][column] or 0 for row in rows[:-1]) == total
    assert all(sum(cell or 0 for cell in row["cells"]) == row["all"] for row in rows)
    assert [row["all"] for row in rows[:2]] == [ours["kept"], sum(ours["dropped"].values())]


def test_two_ways_round_are_each_others_mirror(runs: Planted) -> None:
    [one], [two] = held(runs.loose, runs.later).sources, held(runs.later, runs.loose).sources
    assert counted(list(one.documents.moves)) == Counter({(m.there, m.here): m.documents for m in two.documents.moves})
    assert [a.difference for a in one.counts] == [-(a.difference or 0) for a in two.counts]


def test_examples_are_documents_that_only_one_run_keeps(runs: Planted) -> None:
    [web] = held(runs.loose, runs.strict).sources
    kept = {url for url, fate in fates(runs.loose) if fate == KEPT}
    lost = defaultdict(set)
    for url, fate in fates(runs.strict):
        lost[fate].add(url)
    texts = {row["url"]: row["text"] for name in "ab" for row in rows_of(Path(runs.loose).parent / f"{name}.jsonl")}
    assert web.documents.examples
    assert len(web.documents.examples) <= 2 * SHOWN
    for move, examples in web.documents.examples.items():
        assert move in web.documents.moves
        assert move.here == KEPT
        assert len(examples) == min(EACH, move.documents)
        assert len({example.url for example in examples}) == len(examples)
        for example in examples:
            assert example.url in kept & lost[move.there]
            assert example.text.removesuffix("…") == texts[example.url][:CHARACTERS]
    again = held(runs.loose, runs.strict).sources[0].documents.examples
    assert again == web.documents.examples, "drawn by hashes"


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    yield from map(json.loads, path.read_text().splitlines())


def test_of_the_recipe_every_key_that_differs_is_said_and_no_other(strict_against_loose: Comparison) -> None:
    found = {setting.name: (setting.here, setting.there) for setting in strict_against_loose.settings}
    assert found.pop("sources.web.rules.gopher_quality.min_words") == ("100", "50")
    assert found.pop("sources.web.rules.order") == ('["gopher_quality", "c4"]', '["gopher_quality"]')
    assert found.pop("sources.web.rules.c4.min_sentences")[1] is None
    assert found
    assert all(name.startswith("sources.web.rules.c4.") for name in found), "and not those of a source of one run"
    assert not strict_against_loose.versions
    assert list(strict_against_loose.only_here) == ["extra"]
    assert list(strict_against_loose.only_there) == []


def test_a_default_that_another_version_has_shows(runs: Planted, tmp_path: Path) -> None:
    other = copied(runs.loose, tmp_path / "other")
    [judged] = Path(other).glob("steps/web.filter-*/step.json")
    manifest = json.loads(judged.read_text())
    manifest["params"]["bounds"][0]["max_mean_word_length"] = 11
    judged.write_text(json.dumps(manifest))
    comparison = held(runs.loose, other)
    assert comparison.settings == [Setting("sources.web.rules.gopher_quality.max_mean_word_length", "10", "11")]
    assert comparison.recipes[0] == comparison.recipes[1]


def copied(root: str, to: Path) -> str:
    shutil.copytree(root, to)
    return str(to)


def test_stages_and_reasons_stand_side_by_side(strict_against_loose: Comparison) -> None:
    [web] = strict_against_loose.sources
    assert [a.name for a in web.funnel] == ["reading", "language", "gopher_quality", "c4", "exact duplicates"]
    assert web.funnel[3].there is None
    assert web.funnel[0].here == web.funnel[0].there == 45
    few = next(a for a in web.reasons if a.name == "gopher_too_few_words")
    assert (few.here, few.there, few.difference) == (35, 4, 31)
    assert web.reasons[0] == few, "the largest difference first"
    assert Amount("documents kept", 8, 38) in web.counts
    assert list(web.languages) == [Amount("en", 8, 38)]


def test_a_run_is_no_different_from_itself(runs: Planted) -> None:
    comparison = held(runs.strict, runs.strict)
    assert not comparison.differs
    assert verdict(comparison).startswith("Nothing differs")
    text = Elements(render(comparison)).text
    assert "No key differs." in text
    assert "Every document has the same fate in both." in text
    assert [source.documents.examples for source in comparison.sources] == [{}, {}]


def test_files_of_the_same_names_with_other_documents_are_not_taken_for_the_same(runs: Planted, tmp_path: Path) -> None:
    other = copied(runs.loose, tmp_path / "other")
    for path in Path(other).glob("steps/web.read-*/part-00000.parquet"):
        table = shards.read(str(path))
        urls = table["url"].to_pylist()
        turned = table.set_column(table.schema.get_field_index("url"), table.schema.field("url"), [urls[::-1]])
        shards.write(str(path), turned)
        record = path.with_name("step.json")
        manifest = json.loads(record.read_text())
        manifest["files"][path.name] = path.stat().st_size
        record.write_text(json.dumps(manifest))
    [web] = held(runs.loose, other).sources
    assert web.documents.by == "url"
    assert counted(list(web.documents.moves)) == by_url(runs.loose, other)


class Elements(HTMLParser):
    """The page's elements, whatever could load or run something, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.risks: list[str] = []
        self.text = ""
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.risks += [name for name, _ in attrs if name in {"src", "href", "xlink:href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_what_came_from_the_web_is_text_and_never_markup(runs: Planted) -> None:
    comparison = held(runs.loose, runs.strict)
    move = Move(KEPT, "gopher_too_few_words", 30)
    comparison.sources[0].documents.examples[move][0] = Example(EVIL_URL, EVIL)  # type: ignore[index]
    page = render(comparison)
    elements = Elements(page)
    assert EVIL not in page
    assert elements.risks == []
    assert not elements.tags & {"script", "img", "iframe", "link", "object"}
    assert f"{EVIL_URL} {EVIL}" in elements.text


def test_what_cannot_be_seen_is_made_visible(runs: Planted) -> None:
    comparison = held(runs.loose, runs.strict)
    move = Move(KEPT, "gopher_too_few_words", 30)
    hidden = Example("https://a.example/\u202eb", "\x00\x1b[31m")
    comparison.sources[0].documents.examples[move][0] = hidden  # type: ignore[index]
    page = render(comparison)
    assert r"https://a.example/\u202eb" in page
    assert r"\x00\x1b[31m" in page
    assert all(character.isprintable() or character == "\n" for character in page)


def test_planted_evil_is_drawn_and_shown_as_it_is(runs: Planted) -> None:
    """Of the documents that only one run has read."""
    comparison = held(runs.evil, runs.later)
    examples = comparison.sources[0].documents.examples[Move(KEPT, NOT_READ, 2)]
    assert [example.url for example in examples] == [EVIL_URL] * 2
    elements = Elements(render(comparison))
    assert elements.risks == []
    assert "script" not in elements.tags
    assert all(f"{example.url} {example.text}" in elements.text for example in examples)


def with_more(summary: dict[str, Any], web: int, books: int, loss: float) -> dict[str, Any]:
    """The summary of a run with a mixture and a proxy too."""
    made = copy.deepcopy(summary)
    made["mixture"] = {"web": {"tokens": web}, "books": {"tokens": books}}
    held_out = {"bits_per_byte": loss, "nats_per_token": 1.0, "tokens": 9}
    made["proxy"] = {"final_loss": 3.5, "validation": {"sources": {"web": held_out}, "overall": held_out}}
    return made


def test_mixtures_and_proxies_are_compared_where_both_have_them(runs: Planted) -> None:
    summary = of_finished(runs.loose)
    here, there = with_more(summary, 600, 200, 1.25), with_more(summary, 500, 500, 1.5)
    comparison = compare(runs.loose, here, runs.loose, there, nothing)
    assert comparison.differs
    assert list(comparison.mixture) == [Amount("web", 600, 500), Amount("books", 200, 500)]
    assert list(comparison.shares) == [Amount("web", 75.0, 50.0), Amount("books", 25.0, 50.0)]
    assert [a.difference for a in comparison.proxy] == [0, -0.25, -0.25]
    text = Elements(render(comparison)).text
    assert "web 600 500 +100 +20.0 %" in text
    assert "web 75.000 50.000 +25.000 +50.0 %" in text
    assert "held out of web, bits per byte 1.250 1.500 -0.250 -16.7 %" in text
    assert compare(runs.loose, here, runs.loose, summary, nothing).proxy == []


def test_page_and_terminal_show_the_comparisons_numbers(runs: Planted, tmp_path: Path) -> None:
    root = copied(runs.strict, tmp_path / "new")
    heard: list[tuple[int, int]] = []
    comparison, path = write(root, runs.loose + "/", lambda done, most: heard.append((done, most)))
    assert path == f"{root}/against-loose.html"
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    page = Path(path).read_text()
    assert page == render(comparison)
    text = Elements(page).text
    assert verdict(comparison) in text
    assert "8 documents are kept by both, 0 only here, 30 only there." in text
    for setting in comparison.settings:
        assert f"{setting.name} {setting.here or '–'} {setting.there or '–'}" in text
    assert "gopher_too_few_words 35 4 +31 +775.0 %" in text
    assert "gopher_too_few_words kept 30" in text
    assert "Sources only here: extra." in text
    screen = Console(width=160)
    with screen.capture() as printed:
        screen.print(*tables(comparison))
    said = " ".join(re.sub("[│┃]", " ", printed.get()).split())
    assert 'sources.web.rules.order ["gopher_quality", "c4"] ["gopher_quality"]' in said
    assert "web documents kept 8 38 -30 -78.9 %" in said
    assert "web 8 0 30 7" in said


def test_values_of_a_recipe_are_no_markup_in_the_terminal(strict_against_loose: Comparison) -> None:
    odd = replace(strict_against_loose, settings=[Setting("a[b]", "[red]x[/red]", "[/]")])
    screen = Console(width=100)
    with screen.capture() as printed:
        screen.print(tables(odd)[0])
    assert re.search(r"a\[b\] +│ +\[red\]x\[/red\] +│ +\[/\] ", printed.get())


@pytest.mark.parametrize("gone", ["web.read-*/step.json", "web.filter-*/part-00001.parquet", "web.documents-*"])
def test_a_run_whose_steps_are_gone_is_refused(runs: Planted, tmp_path: Path, gone: str) -> None:
    other = copied(runs.loose, tmp_path / "other")
    [path] = Path(other, "steps").glob(gone)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ValueError, match=rf"^{re.escape(other)}: files of .* are gone; run the recipe again$"):
        held(runs.loose, other)


def test_a_run_of_an_earlier_version_is_refused(runs: Planted) -> None:
    earlier = of_finished(runs.loose)
    del earlier["sources"]["web"]["files"]
    with pytest.raises(ValueError, match="an earlier version of crawlmill made it"):
        compare(runs.strict, of_finished(runs.strict), runs.loose, earlier, nothing)


def test_verdicts_that_the_summary_does_not_count_are_refused(runs: Planted) -> None:
    summary = of_finished(runs.loose)
    wrong = copy.deepcopy(summary)
    wrong["sources"]["web"]["kept"] += 1
    with pytest.raises(ValueError, match=r"the verdicts on web are not those that summary\.json counts"):
        moves_of(Run(runs.loose, summary), Run(runs.loose, wrong), "web", lambda: None)

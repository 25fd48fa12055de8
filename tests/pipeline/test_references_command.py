"""`crawlmill references`: planted citations in, one list out, and the pages of a run that it holds."""

import gzip
import json
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from click.testing import CliRunner, Result

from corpus.sorted_lines import SortedLines
from filters.citations import Cited
from pipeline import references_command
from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.references_command import references
from pipeline.run import run

ARTICLE = """
{{Infobox x|website={{URL|not.expanded.example}}|url=http://official.example/|img=[[File:a.jpg]]}}
A fact.<ref name="a">{{cite web |url=https://www.cited.example/Page_(x)/?utm_source=wiki&amp;id=1 |title=T {{!}} U
 |archive-url=//web.archive.org/web/20100102030405/http://cited.example/%7eold |chapter-url=http://chapter.example/c.}}</ref>
Another,<ref>[http://bracket.example/a|b The text], see http://bare.example/x, and ''http://quote.example/y''.</ref>
again.<ref name="a" /> <!-- <ref>http://comment.example</ref> --> <nowiki>http://nowiki.example</nowiki>
{| class="wikitable"
| http://cell.example/1 || [//relative.example/r x]
|}
* {{Cite book|url=http://xn--bcher-kva.example:80/b#p5}} mailto:me@mail.example ftp://ftp.example/f
* [http://localhost/x local] [http://further.example/reading Further reading]
"""
REFERENCES = [
    "bare.example/x",
    "bracket.example/a%7Cb",
    "chapter.example/c.",
    "cited.example/Page_(x)/?id=1",
    "cited.example/~old",
    "quote.example/y",
    "web.archive.org/web/20100102030405/http://cited.example/~old",
    "xn--bcher-kva.example/b",
]
OTHERS = ["cell.example/1", "further.example/reading", "official.example", "relative.example/r"]
TABLE = ["http://table.example/it's", "https://www.cited.example/~old/"]
SQL = """-- MySQL dump 10.19
CREATE TABLE `externallinks` (
  `el_id` int unsigned NOT NULL,
  `el_from` int unsigned NOT NULL,
  `el_to_domain_index` varbinary(255) NOT NULL,
  `el_to_path` blob DEFAULT NULL,
  PRIMARY KEY (`el_id`)
);
INSERT INTO `externallinks` VALUES (1,1,'http://example.table.','/it\\'s'),(2,1,'https://example.cited.www.','/%7Eold/');
INSERT INTO `externallinks` VALUES (3,1,'mailto:example.mail.','');
-- Dump completed on 2026-01-02  3:04:05
"""


def page(title: str, text: str, namespace: int = 0, redirect: str = "") -> str:
    return (
        f"<page><title>{title}</title><ns>{namespace}</ns>{redirect}"
        f"<revision><model>wikitext</model><text>{escape(text)}</text></revision></page>\n"
    )


@pytest.fixture
def dumps(tmp_path: Path) -> dict[str, str]:
    pages = [
        page("Article", ARTICLE),
        page("Talk:Article", "<ref>http://talk.example</ref>", 1),
        page("Moved", "#REDIRECT [[Article]] http://redirect.example", redirect='<redirect title="Article" />'),
    ]
    xml = f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">\n{"".join(pages)}</mediawiki>\n'
    # The names tell nothing: a file is what its content is.
    (tmp_path / "one.dump").write_bytes(gzip.compress(xml.encode()))
    (tmp_path / "two.dump").write_text(SQL)
    (tmp_path / "three.dump").write_text("# mine\nhttps://listed.example/\n")
    return {name: str(tmp_path / f"{name}.dump") for name in ("one", "two", "three")}


def go(*words: str) -> Result:
    return CliRunner().invoke(references, words)


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def row(output: str, name: str) -> list[str]:
    """The cells behind a name in a table of the output."""
    [found] = [line for line in output.splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in found.strip("│").split("│")][1:]


def test_the_list_is_what_was_planted(tmp_path: Path, dumps: dict[str, str]) -> None:
    result = go(dumps["one"], "--out", str(tmp_path / "cited.txt.gz"))
    assert result.exit_code == 0, result.output
    assert lines(tmp_path / "cited.txt.gz") == sorted(REFERENCES + OTHERS)
    counts = {
        "articles read": 1,
        "pages left out: of other namespaces": 1,
        "pages left out: redirects and what is no wikitext": 1,
        "links in cite templates": 4,
        "links elsewhere in references": 3,
        "links in other templates": 1,
        "links in brackets": 3,
        "links that are bare": 1,
        "links to no web page": 1,
        "links to an archive's copy, with the page's own URL": 1,
        "URLs in the list": 12,
        "cited.example": 2,
    }
    assert {name: row(result.output, name) for name in counts} == {name: [str(n)] for name, n in counts.items()}


def test_only_references(tmp_path: Path, dumps: dict[str, str]) -> None:
    result = go(dumps["one"], "--out", str(tmp_path / "cited.txt.gz"), "--only-references")
    assert lines(tmp_path / "cited.txt.gz") == REFERENCES
    assert row(result.output, "links left out: in no reference") == ["5"]


def test_dumps_and_lists_make_one_list_in_any_order(
    tmp_path: Path, dumps: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "lists" / "cited.txt.gz"
    result = go(*dumps.values(), "--out", str(out))
    assert lines(out) == sorted([*REFERENCES, *OTHERS, "table.example/it's", "listed.example"])
    assert row(result.output, "rows of SQL tables") == ["3"]
    first = out.read_bytes()
    # However few lines fit into memory.
    monkeypatch.setattr(references_command, "SortedLines", partial(SortedLines, in_memory=2))
    go(*reversed(dumps.values()), str(tmp_path / "t*.dump"), "--out", str(out))
    assert out.read_bytes() == first
    assert [path.name for path in out.parent.iterdir()] == ["cited.txt.gz"]
    go(str(out), "--out", str(tmp_path / "again.gz"))
    assert (tmp_path / "again.gz").read_bytes() == first


def test_a_damaged_dump_leaves_no_list(tmp_path: Path, dumps: dict[str, str]) -> None:
    whole = Path(dumps["one"]).read_bytes()
    Path(dumps["one"]).write_bytes(gzip.compress(gzip.decompress(whole)[:-20]))
    result = go(dumps["two"], dumps["one"], "--out", str(tmp_path / "out" / "cited.txt.gz"))
    assert isinstance(result.exception, ValueError)
    assert "one.dump: line" in str(result.exception)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("one", "say where the list goes: --out"),
        ("three", "say where the list goes: --out"),
        ("one two --out x.gz --only-references", "two.dump does not say which links are references"),
        ("one --out x.txt", "let its name end in .gz"),
        ("one --out x.gz --source web", "give --match too"),
        ("three --match nowhere", "nowhere is not the folder of a finished run"),
        ("nothing --out x.gz", 'no file matches "nothing"'),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, dumps: dict[str, str], monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = go(*(dumps.get(word, word) for word in words.split()))
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not list(tmp_path.glob("x.*"))


def test_a_list_is_not_written_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "list.gz"
    path.write_bytes(gzip.compress(b"a.example\n"))
    result = go(str(path), "--out", str(path))
    assert result.exit_code == 2
    assert lines(path) == ["a.example"]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run over pages of which three are cited, one of these without text, each under another spelling."""
    urls = [
        "http://cited.example/~old",
        "https://www.bücher.example/b?fbclid=x",
        "https://cell.example/1#top",
        "https://cell.example/2",
        "https://elsewhere.example/",
        "",
    ]
    rows = [
        {"url": url, "text": "" if "cell.example/1" in url else f"Text of {n}. " * 20} for n, url in enumerate(urls)
    ]
    (tmp_path / "pages.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "more.jsonl").write_text(json.dumps({"url": "http://more.example", "text": "More. " * 50}))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: r\nsources:\n  web: {{kind: jsonl, paths: {tmp_path}/pages.jsonl}}\n"
        f"  more: {{kind: jsonl, paths: {tmp_path}/more.jsonl}}\n"
    )
    with Cluster(0) as cluster:
        run(load(str(recipe), ()), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None)
    return tmp_path / "run"


def test_the_pages_of_a_run_that_the_list_holds(tmp_path: Path, dumps: dict[str, str], finished: Path) -> None:
    out = str(tmp_path / "cited.txt.gz")
    both = go(dumps["one"], "--out", out, "--match", str(finished), "--source", "web")
    alone = go(out, "--match", str(finished), "--source", "web")
    for result in both, alone:
        assert result.exit_code == 0, result.output
        assert row(result.output, "pages read") == ["6"]
        assert row(result.output, "of these in the list") == ["3"]
        assert row(result.output, "of these with text") == ["2"]
    hosts = alone.output[alone.output.index("Hosts with most cited pages") :]
    assert [row(hosts, host) for host in ("cell.example", "cited.example", "xn--bcher-kva.example")] == [["1"]] * 3
    assert "elsewhere" not in hosts
    assert Cited.load([out]).holds(["http://www.cited.example/%7Eold/"]).all()


def test_a_list_that_holds_no_page_is_named(tmp_path: Path, dumps: dict[str, str], finished: Path) -> None:
    result = go(dumps["three"], "--match", str(finished), "--source", "more")
    assert isinstance(result.exception, ValueError)
    for words in "three.dump holds none of the 1 pages of", '"listed.example"', '"http://more.example"':
        assert words in str(result.exception)


def test_a_source_must_be_said_where_there_are_several(dumps: dict[str, str], finished: Path) -> None:
    for words, message in (
        ((), "has several sources; name one with --source: more, web"),
        (("--source", "x"), "has no source 'x'"),
    ):
        result = go(dumps["three"], "--match", str(finished), *words)
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())

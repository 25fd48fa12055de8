import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import corpora

PAPER = r"""\documentclass{article}
% a comment with \section{Not this}
\begin{document}
\title{T}\maketitle
\begin{abstract}We do.\end{abstract}
\input{parts/intro}
\section{Results} % measured twice
A share of 95\% is right\\% and this goes
\input{main}\include{missing}
  % a line of its own
The end.
\bibliographystyle{plain}
\bibliography{refs}
\section{After}
\end{document}
"""


def write_gzip(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(encoding)))


def write_zip(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def write_tar(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """As the development data lies, with a document or two of each kind."""
    root = tmp_path / "data"
    article = {"id": "enwiki:1", "title": "R&B", "text": "Rhythm &amp; blues.\n1 &lt; 2"}
    write_gzip(root / "reference/wikipedia.jsonl.gz", json.dumps(article) + "\n")
    start, end = (f"*** {word} OF THIS PROJECT GUTENBERG EBOOK A ***" for word in ("START", "END"))
    book = f"head\n{start}\nCafé life.\r\n{end}\nlaw"
    write_gzip(root / "books/A_1__1-8.txt.gz", book, "windows-1252")
    write_gzip(root / "books/Don-Quijote_2000__2000-8.txt.gz", "no licence")
    write_zip(
        root / "books/nltk_genesis.zip",
        {"genesis/english-kjv.txt": "In the beginning", "genesis/finnish.txt": "Alussa"},
    )
    write_zip(root / "books/nltk_inaugural.zip", {"inaugural/1.txt": "Fellow citizens", "inaugural/README": "x"})
    write_zip(root / "books/nltk_state_union.zip", {"state_union/1.txt": "Mr. Speaker"})
    head = '<?xml version="1.0"?><!DOCTYPE PLAY SYSTEM "play.dtd">'
    play = f"{head}<PLAY><TITLE>M</TITLE>\n<FM><P>free</P></FM>\n<LINE>When shall</LINE></PLAY>"
    write_zip(root / "books/nltk_shakespeare.zip", {"shakespeare/m.xml": play, "shakespeare/play.dtd": "<!ELEMENT"})
    files = {
        "main.tex": PAPER,
        "parts/intro.tex": "\\section{Start}\nHello.\n",
        "reply.tex": "\\begin{document}\\section{R}\\end{document}",
    }
    write_tar(root / "arxiv/p.tar.gz", files)
    rows = [
        '<row Id="3" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Low &amp;amp; late&lt;/p&gt;"/>',
        '<row Id="1" PostTypeId="1" Score="5" Title="Why?" Body="&lt;p&gt;I &lt;b&gt;ask&lt;/b&gt;.&lt;/p&gt;"/>',
        '<row Id="4" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;Best&lt;/p&gt;"/>',
        '<row Id="5" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Later&lt;/p&gt;"/>',
        '<row Id="6" PostTypeId="4" Score="0" Body="a tag"/>',
    ]
    (root / "code").mkdir()
    (root / "code/m.py").write_text("def f():\n    return 1\n")
    write_gzip(root / "stackexchange/s.Posts.xml.gz", f"<posts>{''.join(rows)}</posts>")
    return root


def texts(path: Path) -> dict[str, str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {row["id"]: row["text"] for row in map(json.loads, file)}


def test_each_source_is_text_without_its_formats_wrapping(data: Path, tmp_path: Path) -> None:
    corpora.build(str(tmp_path / "out"), data, data / "code")
    out = tmp_path / "out"
    assert texts(out / "wikipedia.jsonl.gz") == {"enwiki:1": "R&B\nRhythm & blues.\n1 < 2"}
    assert texts(out / "books.jsonl.gz") == {
        "A/0": "Café life.",
        "genesis/english-kjv/0": "In the beginning",
        "inaugural/1/0": "Fellow citizens",
        "state_union/1/0": "Mr. Speaker",
        "shakespeare/m/0": "M\nWhen shall",
    }
    assert texts(out / "stackexchange.jsonl.gz") == {"s/1": "Q: Why?\nI ask.\n\nA: Best\n\nA: Low & late\n\nA: Later"}


def test_a_paper_goes_from_its_first_section_to_its_bibliography(data: Path, tmp_path: Path) -> None:
    corpora.build(str(tmp_path / "out"), data, data / "code")
    found = texts(tmp_path / "out/arxiv.jsonl.gz")
    assert list(found) == ["p/0"], "the letter to the referees is not the paper"
    lines = [line.rstrip() for line in found["p/0"].splitlines() if line.strip()]
    expected = [r"\section{Start}", "Hello.", r"\section{Results}", r"A share of 95\% is right\\", "The end."]
    assert lines == expected


@pytest.mark.parametrize(
    ("latex", "left"),
    [
        ("a % b", "a "),
        (r"5\% of", r"5\% of"),
        (r"line\\% gone", r"line\\"),
        (r"\\\% stays", r"\\\% stays"),
        ("one\n% all\ntwo", "one\ntwo"),
        ("100%%twice", "100"),
    ],
)
def test_comments_go_and_per_cent_signs_stay(latex: str, left: str) -> None:
    assert corpora.without_comments(latex) == left


def test_a_standard_library_has_its_modules_without_tests_data_and_packages(tmp_path: Path) -> None:
    names = {
        "os.py": "import abc\n" * 20,
        "json/tool.py": "def main():\n    return 1\n",
        "test/test_os.py": "import os\n",
        "site-packages/six.py": "import sys\n",
        "table.py": "x = '" + "a" * 2000 + "'\n",
        "marks.py": "# " + "-" * 70 + "\n",
        "topics.py": "word = 1\n" * 40_000,
    }
    for name, text in names.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [name for name, _ in corpora.python_files(tmp_path)] == ["json/tool.py", "os.py"]


def test_long_texts_are_cut_at_blank_lines_into_parts_that_lose_nothing(tmp_path: Path, data: Path) -> None:
    paragraphs = [f"Paragraph {n} " + "word " * (50 + n % 90) for n in range(400)]
    # A text without a blank line is cut too, and a line is never.
    verses = [f"{n} And it was so, as it had been said before." for n in range(3000)]
    write_zip(data / "books/nltk_inaugural.zip", {"i/a.txt": "\n\n".join(paragraphs), "i/b.txt": "\n".join(verses)})
    corpora.build(str(tmp_path / "out"), data, data / "code")
    found = texts(tmp_path / "out/books.jsonl.gz")
    of_a, of_b = ([text for name, text in found.items() if name.startswith(f"i/{k}/")] for k in "ab")
    assert "\n\n".join(text.strip() for text in of_a).split() == "\n\n".join(paragraphs).split()
    assert "\n".join(of_b) == "\n".join(verses)
    assert len(of_a) > 4
    assert len(of_b) > 2
    for text in (*of_a, *of_b):
        assert corpora.PART / 2 <= len(text.encode()) <= 2.6 * corpora.PART
    assert all(text.startswith("Paragraph") for text in of_a)


def test_the_same_data_gives_the_same_bytes_and_the_command_says_what_is_little(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = CliRunner().invoke(
            corpora.main, [str(tmp_path / name), "--data", str(data), "--code", str(data / "code")]
        )
        assert done.exit_code == 0, done.output
        assert "arxiv: 1 documents, 0.00 MB; little for a source of a mixture" in done.output
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    sources = ("arxiv", "books", "github", "stackexchange", "wikipedia")
    assert names == sorted(["manifest.json", *(f"{source}.jsonl.gz" for source in sources)])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    manifest = json.loads((tmp_path / "one/manifest.json").read_text())
    assert manifest["books"] == {
        "documents": 5,
        "bytes": sum(len(t.encode()) for t in texts(tmp_path / "one/books.jsonl.gz").values()),
    }


def test_a_source_without_documents_and_a_book_without_its_licence_are_refused(data: Path, tmp_path: Path) -> None:
    write_tar(data / "arxiv/p.tar.gz", {"main.tex": "\\begin{document}no section\\end{document}"})
    with pytest.raises(ValueError, match=r"arxiv\.jsonl\.gz: there is no document for it"):
        corpora.build(str(tmp_path / "out"), data, data / "code")
    assert not (tmp_path / "out/manifest.json").exists()
    write_gzip(data / "books/B_2__2-0.txt.gz", "a book")
    with pytest.raises(ValueError, match=r"B_2__2-0\.txt\.gz: 0 lines that start or end"):
        corpora.build(str(tmp_path / "out"), data, data / "code")


def test_the_development_data_has_what_a_mixture_needs(shared_data: Path) -> None:
    papers = dict(corpora.arxiv(shared_data / "arxiv"))
    assert len(papers) > 100
    assert not any("\\begin{document}" in text or "\n%" in text for text in papers.values())
    questions = dict(corpora.stackexchange(shared_data / "stackexchange"))
    assert len(questions) > 900
    assert sum(len(text.encode()) for text in questions.values()) > corpora.LITTLE

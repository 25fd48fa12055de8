"""Corpora for a mixture of several sources: `python -m benchmarks.corpora OUT`, from what lies beside the checkout.

What goes in: the development data's Wikipedia articles, books, LaTeX archives and Stack Exchange dumps, and the source
files of this Python's standard library. What goes out: `OUT/<source>.jsonl.gz`, a line `{"id", "text"}` a document, and
`OUT/manifest.json`, last, with documents and bytes of each. What stays true: the same data gives the same bytes, and
nothing is downloaded. Left out: books that are not English, and the chats and posts of nltk's webtext. Llama-1's two
web sources are one here: there is too little of the pages for two.
"""

import gzip
import html
import io
import json
import re
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from lxml import etree  # type: ignore[import-untyped]
from resiliparse.extract.html2text import extract_plain_text

from benchmarks.inputs import ROOT
from corpus import storage

DATA = ROOT.parent / "shared/data"
Documents = Iterator[tuple[str, str]]

# Books and papers are few; cut into parts of about this many bytes some of each can be held out.
PART = 20_000
# What a 4,096-token vocabulary and a proxy model can make something of.
LITTLE = 2_000_000
# The filter for code of RedPajama's Llama-1 replica: neither data nor minified.
LONGEST_LINE, MEAN_LINE, ALPHANUMERIC = 1000, 100, 0.25
# One file as long as that would be most of what is held out.
LARGEST_FILE = 250_000
SPANISH = "Don-Quijote"
ENGLISH_GENESIS = ("english-kjv.txt", "english-web.txt")
PLAIN_BOOKS = ("genesis", "inaugural", "state_union")

_LICENCE = re.compile(r"\*\*\* ?(?:START|END) OF TH(?:IS|E) PROJECT GUTENBERG EBOOK[^*]*\*\*\*")
# A comment starts at a per cent sign that an even number of backslashes precedes, and a line of it alone goes whole.
_COMMENT_LINE = re.compile(r"^[ \t]*%.*\n?", re.MULTILINE)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_INCLUDE = re.compile(r"\\(?:input|include|subfile)\s*\{([^}]+)\}")
_BEGINNING = re.compile(r"\\(?:part|chapter|section)\b")
_END = re.compile(
    r"\\(?:bibliography(?:style)?\s*\{|printbibliography\b"
    r"|begin\{(?:the)?(?:bibliography|references)\}|end\{document\})"
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("out")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DATA,
    show_default="../shared/data",
    help="The development data.",
)
@click.option(
    "--code",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=sysconfig.get_path("stdlib"),
    show_default="this Python's standard library",
    help="A folder of Python source files.",
)
def main(out: str, data: Path, code: Path) -> None:
    """Write one JSONL.gz a source into OUT, and say how much there is of each."""
    counts = build(out, data, code)
    for name, count in counts.items():
        few = "; little for a source of a mixture" if count["bytes"] < LITTLE else ""
        click.echo(f"{name}: {count['documents']:,} documents, {count['bytes'] / 1e6:.2f} MB{few}")


def build(out: str, data: Path, code: Path) -> dict[str, dict[str, int]]:
    """Write all corpora; returns documents and UTF-8 bytes of text of each. ValueError where one has no document."""
    readers: dict[str, Callable[[], Documents]] = {
        "wikipedia": lambda: wikipedia(data / "reference/wikipedia.jsonl.gz"),
        "books": lambda: books(data / "books"),
        "arxiv": lambda: arxiv(data / "arxiv"),
        "stackexchange": lambda: stackexchange(data / "stackexchange"),
        "github": lambda: python_files(code),
    }
    counts = {name: _write(storage.join(out, f"{name}.jsonl.gz"), read()) for name, read in readers.items()}
    storage.write_json(storage.join(out, "manifest.json"), counts)
    return counts


def wikipedia(path: Path) -> Documents:
    """The articles. Their dump left three entities as they are in XML."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["id"], f"{row['title']}\n{html.unescape(row['text'])}"


def books(folder: Path) -> Documents:
    """Project Gutenberg's books without its licence, Shakespeare's plays, Genesis and speeches, in parts."""
    for path in sorted(folder.glob("*.txt.gz")):
        if not path.name.startswith(SPANISH):
            yield from _parts(path.name.split("_")[0], _without_licence(path))
    for name in PLAIN_BOOKS:
        with zipfile.ZipFile(folder / f"nltk_{name}.zip") as archive:
            for member in sorted(archive.namelist()):
                language = name != "genesis" or member.endswith(ENGLISH_GENESIS)
                if member.endswith(".txt") and language:
                    yield from _parts(member.removesuffix(".txt"), _decoded(archive.read(member)))
    with zipfile.ZipFile(folder / "nltk_shakespeare.zip") as archive:
        for member in sorted(archive.namelist()):
            if member.endswith(".xml"):
                yield from _parts(member.removesuffix(".xml"), _play(archive.read(member)))


def arxiv(folder: Path) -> Documents:
    """Of each archive its longest paper, included files in their places, from the first section to the bibliography."""
    for path in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile() and member.name.endswith(".tex")]
            files = {member.name: _decoded(_bytes(archive, member)) for member in members}
        papers = [paper(name, files) for name in sorted(files) if r"\begin{document}" in files[name]]
        # An archive often has a letter to the referees, a supplement and an older version beside the paper.
        yield from _parts(path.name.removesuffix(".tar.gz"), max(papers, key=len, default=""))


def paper(name: str, files: dict[str, str]) -> str:
    """The text of the paper that starts in one of `files`; empty when it has no section."""
    text = _included(name, files, ())
    text = text[text.find(r"\begin{document}") :]
    start = _BEGINNING.search(text)
    if start is None:
        return ""
    end = _END.search(text, start.start())
    return text[start.start() : end.start() if end else len(text)]


def without_comments(latex: str) -> str:
    """LaTeX without comments; `\\%` is a per cent sign and stays."""
    return _COMMENT.sub(r"\1", _COMMENT_LINE.sub("", latex))


def stackexchange(folder: Path) -> Documents:
    """Every question with its answers, best score first, without HTML."""
    for path in sorted(folder.glob("*.Posts.xml.gz")):
        site = path.name.removesuffix(".Posts.xml.gz")
        questions: dict[int, str] = {}
        answers: dict[int, list[tuple[int, int, str]]] = {}
        with gzip.open(path, "rb") as file:
            for _, row in etree.iterparse(file, tag="row"):
                post, kind = int(row.get("Id")), row.get("PostTypeId")
                text = extract_plain_text(row.get("Body"), main_content=False)
                if kind == "1":
                    questions[post] = f"Q: {row.get('Title')}\n{text}"
                elif kind == "2":
                    answers.setdefault(int(row.get("ParentId")), []).append((-int(row.get("Score")), post, text))
                row.clear()
        for post, question in sorted(questions.items()):
            replies = "".join(f"\n\nA: {text}" for _, _, text in sorted(answers.get(post, [])))
            yield f"{site}/{post}", question + replies


def python_files(folder: Path) -> Documents:
    """The standard library's modules, without its tests and whatever is installed beside it."""
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder)
        if not {"site-packages", "test", "tests", "idle_test"} & set(place.parts):
            text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
            if _is_code(text):
                yield str(place), text


def _is_code(text: str) -> bool:
    lines = text.splitlines() or [""]
    letters = sum(map(str.isalnum, text))
    few = max(map(len, lines)) <= LONGEST_LINE and len(text) / len(lines) <= MEAN_LINE
    return few and len(text) <= LARGEST_FILE and letters >= ALPHANUMERIC * len(text)


def _without_licence(path: Path) -> str:
    text = _decoded(gzip.decompress(path.read_bytes()))
    found = [match.span() for match in _LICENCE.finditer(text)]
    if len(found) != 2:
        raise ValueError(f"{path}: {len(found)} lines that start or end a Project Gutenberg book, not 2; leave it out")
    return text[found[0][1] : found[1][0]]


def _play(xml: bytes) -> str:
    tree = etree.fromstring(xml)
    for matter in tree.findall("FM"):
        tree.remove(matter)
    return "".join(tree.itertext())


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, member.name
    return file.read()


def _included(name: str, files: dict[str, str], above: tuple[str, ...]) -> str:
    """A file without comments, with what it includes; a file that is not there, or includes itself, is no text."""

    def text(match: re.Match[str]) -> str:
        asked = match[1].strip().removeprefix("./")
        beside = name.rpartition("/")
        for found in (asked, f"{asked}.tex", beside[0] + beside[1] + asked, beside[0] + beside[1] + f"{asked}.tex"):
            if found in files and found not in (*above, name):
                return _included(found, files, (*above, name))
        return ""

    return _INCLUDE.sub(text, without_comments(files[name]))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("windows-1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parts(name: str, text: str) -> Documents:
    """Parts that end at the first blank line after PART bytes, or where there is none, at a line after twice as many.

    A rest of less than half of PART belongs to the part before it.
    """
    parts: list[list[str]] = [[]]
    size = 0
    for line in text.strip().split("\n"):
        if (size >= PART and not line.strip()) or size >= 2 * PART:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += len(line.encode()) + 1
    if len(parts) > 1 and size < PART / 2:
        rest = parts.pop()
        parts[-1] += rest
    for number, lines in enumerate(parts):
        yield f"{name}/{number}", "\n".join(lines).strip()


def _write(path: str, documents: Documents) -> dict[str, int]:
    """A line a document, in gzip without a time or a name in its header."""
    count, size, rows = 0, 0, io.StringIO()
    for name, text in documents:
        if text.strip():
            rows.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")
            count, size = count + 1, size + len(text.encode())
    if not count:
        raise ValueError(f"{path}: there is no document for it in the development data; name its folder with --data")
    storage.write_bytes(path, gzip.compress(rows.getvalue().encode(), mtime=0))
    return {"documents": count, "bytes": size}


if __name__ == "__main__":
    main()

"""Pages of a wiki out of MediaWiki's XML export: a dump of all pages, or what Special:Export gives.

In comes a file, plain or compressed (gzip, bzip2 with any number of streams, xz, zstd, told by its first bytes); out
come its pages in order, each with the wikitext of its last revision. What stays true: no more than one page is in
memory, and a dump that is cut short or damaged is an error. Its pages before the damage have come by then, but a list
made of them would lack sites without anybody noticing, so unlike a crawl's files it is not read past.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, cast
from xml.parsers import expat

import fsspec.compression
import pyarrow as pa

from corpus import storage

CHUNK = 1 << 20
# A page's text comes in pieces of at most so many bytes.
_PIECE = 1 << 16
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_KEPT = frozenset(["title", "ns", "model", "text"])


@dataclass(frozen=True, slots=True)
class WikiPage:
    """`namespace` is a number, 0 for articles; `model` is what `wikitext` is written in, "wikitext" unless said."""

    namespace: int
    title: str
    wikitext: str
    is_redirect: bool
    model: str


@dataclass(frozen=True, slots=True)
class Dump:
    """An open file: its inflated bytes, and how many of the bytes on disk were read for them."""

    path: str
    file: IO[bytes]
    raw: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Pieces of at most `CHUNK` bytes. Raises ValueError for damaged compression."""
        done = 0
        while True:
            try:
                data = self.file.read(CHUNK)
            # gzip raises EOFError and zlib.error (no OSError) on damage, other codecs OSError and ValueError.
            except Exception as error:
                raise ValueError(
                    f"{self.path}: the compressed data is damaged after {done:,} bytes of it ({error}); fetch it again"
                ) from error
            if not data:
                return
            done += len(data)
            yield data

    def lines(self) -> Iterator[bytes]:
        """The lines, without their ends; as long as they are, in time that is linear in their length."""
        pieces: list[bytes] = []
        for chunk in self.chunks():
            first, *more = chunk.split(b"\n")
            pieces.append(first)
            for line in more:
                yield b"".join(pieces)
                pieces = [line]
        yield b"".join(pieces)


@contextlib.contextmanager
def opened(path: str) -> Iterator[Dump]:
    """The file, inflated if its first bytes are those of a compression."""
    with storage.open_read(path) as raw:
        start = raw.read(6)
        raw.seek(0)
        kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
        # fsspec knows zstd only where a package for it is there; Arrow always does.
        inflated: Any = (
            pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
            if kind == "zstd"
            else fsspec.compression.compr[kind](raw, mode="rb")
        )
        yield Dump(path, cast(IO[bytes], inflated), raw)


def pages(path: str, progress: Callable[[int], object] = lambda done: None) -> Iterator[WikiPage]:
    """The pages of a dump; `progress` is told how many bytes of the file have been read.

    Raises ValueError, after the pages before it, for what is damaged, cut short or no export of MediaWiki.
    """
    with opened(path) as dump:
        reader = _Reader()
        try:
            for data in dump.chunks():
                reader.parser.Parse(data, False)
                yield from reader.taken()
                progress(dump.raw.tell())
            reader.parser.Parse(b"", True)
        except (expat.ExpatError, _NotAnExportError) as error:
            yield from reader.taken()
            parser = reader.parser
            where = f"line {parser.CurrentLineNumber:,}, byte {max(parser.CurrentByteIndex, 0):,} of the inflated XML"
            cause = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else error
            raise ValueError(f"{path}: {where}: {cause}; {_after(reader)}; fetch the dump again") from error
        yield from reader.taken()


def _after(reader: "_Reader") -> str:
    return f'it breaks off after the page "{reader.title}"' if reader.title else "no page came before it"


class _NotAnExportError(Exception):
    """The XML is fine, and not what MediaWiki writes."""


class _Reader:
    """What expat tells of a dump, gathered into pages. A name's namespace (export-0.10, 0.11, ...) plays no part."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = _PIECE
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        # Exports have none, and it is where entities of entities come from.
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.done: list[WikiPage] = []
        self.title = ""
        self.depth = 0
        self.in_page = False
        self.pieces: list[str] = []
        self.values: dict[str, str] = {}
        self.is_redirect = False

    def taken(self) -> list[WikiPage]:
        """The pages that are complete, each once."""
        found, self.done = self.done, []
        return found

    def _refuse_doctype(self, *_: object) -> None:
        raise _NotAnExportError("a DOCTYPE, which no export of MediaWiki has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and name != "mediawiki":
            raise _NotAnExportError(f"the XML is of <{name}>, and an export of MediaWiki is of <mediawiki>")
        self.depth += 1
        if name == "page":
            self.in_page, self.values, self.is_redirect = True, {}, False
        elif self.in_page and name in _KEPT:
            self.pieces = []
            self.parser.CharacterDataHandler = self.pieces.append
        elif name == "redirect":
            self.is_redirect = True

    def _end(self, name: str) -> None:
        self.depth -= 1
        if self.in_page and name in _KEPT:
            self.parser.CharacterDataHandler = None
            # Of several revisions the last one is in the end what the page is.
            self.values[name] = "".join(self.pieces)
        elif name == "page":
            self.in_page = False
            self._add_page()

    def _add_page(self) -> None:
        namespace = self.values.get("ns", "0")
        if not namespace.lstrip("-").isdigit():
            raise _NotAnExportError(f"the namespace {namespace!r} of a page is no number")
        self.title = self.values.get("title", "")
        text, model = self.values.get("text", ""), self.values.get("model", "wikitext")
        self.done.append(WikiPage(int(namespace), self.title, text, self.is_redirect, model))

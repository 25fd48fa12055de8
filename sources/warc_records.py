"""WARC records out of the bytes of an archive, one after the other, and on past damage.

What goes in: `Piece`s, with an `Unreadable` wherever the archive itself is damaged. What comes out: a `Record` for
each whole record, and one `Unreadable` for each damage. What stays true: a record is handed on only when what follows
it has been seen to be right (another record, or the end), so never one that ends elsewhere than it says.

FastWARC does not tell the whole from the broken: it takes a Content-Length it cannot read for 0, hands out a body
that is cut off as if it were all of it, and raises at what is no record, with no way on.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sources.byte_run import ByteRun
from sources.http_response import HEAD_END, Fields, parse_fields
from sources.pages import Unreadable
from sources.pieces import Piece, looks_like

# Common Crawl cuts pages off at 5 MB. What is larger than this (a video, mostly) is passed over without being kept.
MAX_CONTENT = 1 << 24
_SAMPLE = 1 << 16

_MAX_HEAD = 1 << 16
_LENGTH = re.compile(r"[0-9]{1,18}")
_TYPE = re.compile(rb"^WARC-Type[ \t]*:", re.I | re.M)

# What a record starts with, and what is looked for where none should: there a page may speak of WARC.
_START = b"WARC/"
_CERTAIN_START = re.compile(rb"WARC/\d{1,2}\.\d{1,3}\r?\n(?:[^\r\n]+\r?\n){0,60}?(?i:WARC-Type)[ \t]*:")
_CERTAIN_BYTES = 1 << 13


class Record(NamedTuple):
    """A record at a byte `offset` of the file (of its gzip member, where there is one).

    `content` is all `length` bytes of it, but of more than `MAX_CONTENT` only the first 64 KB.
    """

    offset: int
    fields: Fields
    content: bytes
    length: int


class _DamageError(Exception):
    """There is no whole record; the text is for the user. `cut` says that the bytes ran out."""

    def __init__(self, cause: str, cut: bool = False) -> None:
        super().__init__(cause)
        self.cut = cut


def read_records(
    path: str, pieces: Iterator[Piece | Unreadable], is_sound: Callable[[int], bool] = lambda _: True
) -> Iterator[Record | Unreadable]:
    """The records in `pieces`, in order; `path` is the file that an `Unreadable` names.

    After damage it goes on at what looks like the start of a record: "WARC/1.0", and a WARC-Type in the lines below.
    Of a gzip member that `is_sound` (asked with its offset) denies, nothing is read from the first damage on.
    """
    start = 0
    while True:
        run = ByteRun(pieces, start, is_sound)
        yield from _read_run(path, run)
        if run.damage is None:
            return
        yield run.damage
        start = run.end


def _read_run(path: str, run: ByteRun) -> Iterator[Record | Unreadable]:
    at: int | None = run.after_padding(run.start)
    while at is not None and at < run.end:
        offset = run.offset(at)
        try:
            record, following = _read_record(run, at, offset)
        except _DamageError as damage:
            if run.is_doubtful(at):
                # What comes next is more of the same damage, which is told when its end is reached.
                run.finish()
                return
            found = _find_record(run, at + 1)
            if found or not (damage.cut and run.damage):
                yield Unreadable(path, offset, str(damage))
            at = found
        else:
            yield record
            at = following
            run.forget(at)


def _read_record(run: ByteRun, at: int, offset: int) -> tuple[Record, int]:
    """The record at position `at`, and the position of what follows it; `_DamageError` if it is not whole."""
    head = _read_head(run, at)
    _, fields = parse_fields(head)
    stated = fields.get("content-length", "")
    if not _LENGTH.fullmatch(stated):
        fault = f"the Content-Length {stated[:40]!r}, which is no number" if stated else "no Content-Length"
        raise _DamageError(f"the record that starts here has {fault}")
    length, start = int(stated), at + len(head)
    end = start + length
    kept = length if length <= MAX_CONTENT else _SAMPLE
    whole = run.reach(start + kept, keep=at)
    data, data_start = run.data, run.start
    # A damaged Content-Length must not make the rest of the file pass for one large record.
    if kept < length and _find_record(run, start, end):
        raise _DamageError(f"the record that starts here has a Content-Length, {length}, that takes in other records")
    if not whole or not run.reach(end, keep=run.end):
        raise _DamageError(f"the record that starts here breaks off before its {length} bytes are over", cut=True)
    following = _following(run, end)
    if following is None:
        cut = run.damage is not None
        raise _DamageError(f"the record that starts here does not end after its {length} bytes", cut=cut)
    content = data[start - data_start : start - data_start + kept]
    return Record(offset, fields, content, length), following


def _read_head(run: ByteRun, at: int) -> bytes:
    """The header of the record at `at`, with the empty line that ends it."""
    run.reach(at + len(_START), keep=at)
    start = run.bytes_at(at, at + len(_START)).upper()
    if start != _START:
        cause = f"no WARC record starts here; {looks_like(run.bytes_at(at, run.end))}"
        raise _DamageError(cause, cut=_START.startswith(start))
    head = _head(run, at)
    if head is None:
        raise _DamageError("the header of the record that starts here does not end", cut=run.end - at < _MAX_HEAD)
    if len(_TYPE.findall(head)) > 1:
        raise _DamageError("the record that starts here breaks off in its header, and another one follows")
    return head


def _head(run: ByteRun, at: int) -> bytes | None:
    while True:
        found = HEAD_END.search(run.data, at - run.start, at - run.start + _MAX_HEAD)
        if found:
            return run.data[at - run.start : found.end()]
        if run.end - at >= _MAX_HEAD or not run.extend(keep=at):
            return None


def _following(run: ByteRun, end: int) -> int | None:
    """Where behind a record that ends at `end` something comes, or the archive ends; None if it cannot end there.

    That something is another record, or an empty line and then anything. To see it takes a look into the next gzip
    member, by which time the checksum of this one has been found right.
    """
    run.reach(end + 4, keep=run.start)
    data, start = run.data, run.start
    empty_line = run.bytes_at(end, end + 4).startswith((b"\r\n\r\n", b"\n\n"))
    following = run.after_padding(end)
    run.reach(following + len(_START), keep=following)
    if run.bytes_at(following, following + len(_START)).upper() == _START:
        return following
    if (empty_line or following == run.end) and end <= run.checked_until():
        return following
    run.rewind(data, start)
    return None


def _find_record(run: ByteRun, at: int, limit: int | None = None) -> int | None:
    """Where from `at` on, and before `limit`, the next record starts."""
    at = max(at, run.start)
    while limit is None or at < limit:
        found = run.data.find(_START, at - run.start)
        if found < 0:
            at = max(at, run.end - len(_START) + 1)
            if not run.extend(keep=at):
                return None
            continue
        at = run.start + found
        run.reach(at + _CERTAIN_BYTES, keep=at)
        if _CERTAIN_START.match(run.data, at - run.start, at - run.start + _CERTAIN_BYTES):
            return at if limit is None or at < limit else None
        at += 1
    return None

"""The `externallinks` table of a wiki as MediaWiki dumps it: which URL is linked, for every link on every page.

In comes SQL of mysqldump, plain or compressed; out come URLs in the table's order. Both schemas are read: `el_to` is
the URL, and since MediaWiki 1.41 it is in two parts, `el_to_domain_index` with the host's labels in reverse and
`el_to_path`. Rows may be on one line, as MySQL has them, or on a line each, as MariaDB has. What stays true: a column
is found by its name, a row is read whole or is an error, and no more than one line (some MB) is in memory. The table
has talk and user pages too, and does not say what links where.
"""

import re
from collections.abc import Callable, Generator, Iterator
from functools import cache, lru_cache
from urllib.parse import quote_from_bytes

from sources.mediawiki import opened

TABLE = "externallinks"
_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`?([^`\s(]+)`?\s*\(", re.IGNORECASE)
_COLUMN = re.compile(rb"\s*`([^`]+)`\s")
_INSERT = re.compile(
    rb"(?:INSERT (?:IGNORE )?INTO|REPLACE INTO) `?([^`\s(]+)`?\s*(?:\(([^)]*)\)\s*)?VALUES\s*", re.IGNORECASE
)
_HEADER, _TRAILER = re.compile(rb"-- (?:MySQL|MariaDB) dump"), b"-- Dump completed"
_WHOLE, _INDEX, _PATH = b"el_to", b"el_to_domain_index", b"el_to_path"
# A string, its text in a group, or any other value: NULL, a number.
_VALUE = rb"(?:(?:_binary )?'([^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+)'|[^'(),\s]++)"
_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
_ESCAPED = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
_PARTS = re.compile(r"((?:[a-z][a-z0-9+.-]*:(?://)?)?)([^:]*)(.*)", re.IGNORECASE | re.DOTALL)
_ASCII = bytes(range(0x80))


def external_links(path: str, progress: Callable[[int], object] = lambda done: None) -> Iterator[str]:
    """The URL of each row; `progress` is told how many bytes of the file have been read.

    Raises ValueError, after the rows before it, for a dump that is damaged, cut short or has no such table.
    """
    with opened(path) as dump:
        columns: list[bytes] = []
        rest: tuple[bytes, ...] = ()
        creates = has_table = has_header = has_trailer = False
        for number, line in enumerate(dump.lines(), start=1):
            progress(dump.raw.tell())
            where = f"{path}, line {number}"
            if rest:
                rest = yield from _rows(where, line, 0, rest)
                continue
            has_header |= bool(_HEADER.match(line))
            has_trailer |= line.startswith(_TRAILER)
            if created := _CREATE.match(line):
                creates = created[1].decode("utf-8", "replace") == TABLE
                has_table |= creates
            elif creates and (column := _COLUMN.match(line)):
                columns.append(column[1])
            elif (insert := _INSERT.match(line)) and insert[1].decode("utf-8", "replace") == TABLE:
                named = [name.strip(b" `") for name in insert[2].split(b",")] if insert[2] else columns
                rest = yield from _rows(where, line, insert.end(), tuple(named))
            creates = creates and not line.startswith(b")")
        if not has_table:
            raise ValueError(f"{path} has no table {TABLE}; fetch the file whose name ends in -{TABLE}.sql.gz")
        if rest or (has_header and not has_trailer):
            missing = b";" if rest else _TRAILER
            raise ValueError(f'{path} breaks off: it has no "{missing.decode()}" at its end; fetch the dump again')


def _rows(where: str, line: bytes, start: int, columns: tuple[bytes, ...]) -> Generator[str, None, tuple[bytes, ...]]:
    """The URLs of a statement's rows on one line, the first of which starts at byte `start` of it; gives back the
    columns if rows on the next line follow.
    """
    if _WHOLE not in columns and not {_INDEX, _PATH} <= set(columns):
        known = b", ".join(columns).decode("utf-8", "replace") or "no columns"
        wanted = f"{_WHOLE.decode()}, or {_INDEX.decode()} and {_PATH.decode()}"
        raise ValueError(f"{where}: {TABLE} has {known}, and its URLs are in {wanted}; is this MediaWiki's table?")
    whole, index, path = (columns.index(name) if name in columns else None for name in (_WHOLE, _INDEX, _PATH))
    end = b","
    for row in _row(len(columns)).finditer(line, start):
        # What is between two rows is damage.
        if row.start() != start:
            break
        values = row.groups(b"")
        url = _text(values[whole]) if whole is not None else ""
        # While a wiki was changed from the one schema to the other it had both.
        if not url and index is not None and path is not None:
            url = _scheme_and_host(_text(values[index])) + _text(values[path])
        yield url
        start, end = row.end(), values[-1]
    if start != len(line):
        broken = line[start : start + 60].decode("utf-8", "backslashreplace")
        raise ValueError(
            f"{where}, byte {start:,}: no row of {len(columns)} values, or one that breaks off: {broken!r}; "
            "fetch the dump again"
        )
    return columns if end == b"," else ()


@cache
def _row(columns: int) -> re.Pattern[bytes]:
    """A row in parentheses with what is behind it; a group is a string without its quotes."""
    return re.compile(rb"\(" + rb",\s*".join([_VALUE] * columns) + rb"\)\s*([,;])\s*", re.DOTALL)


def _text(value: bytes) -> str:
    """A URL's bytes as text; those that are no UTF-8 stay what they are as %XX."""
    if b"\\" in value or b"''" in value:
        value = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]) if escape[1] else b"'", value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return quote_from_bytes(value, safe=_ASCII)


@lru_cache(maxsize=1 << 16)
def _scheme_and_host(index: str) -> str:
    """What "https://org.example.www." stands for, with its port behind the last dot where it has one."""
    parts = _PARTS.fullmatch(index)
    assert parts, "every part may be empty"
    kind, *numbers = parts[2].rstrip(".").split(".")
    match kind.upper():
        # IP addresses are marked and not reversed.
        case "V4":
            host = ".".join(numbers)
        case "V6":
            host = f"[{':'.join(numbers)}]"
        case _:
            host = ".".join([*reversed(numbers), kind])
    return f"{parts[1]}{host}{parts[3]}"

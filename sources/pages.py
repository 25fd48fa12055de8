"""What a source says of each thing it found: a page, a document dropped with a reason, damage, or another record.

Every document in the input becomes exactly one `Page`, `Dropped` or `Unreadable`, so that
read = kept + dropped + unreadable can be checked at the end. `OtherRecord` is what never was a document
(a WARC request, a warcinfo): counted, so that a file of nothing else is not silently empty.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A document as it was read. `mime` is "text/html" (to be extracted) or "text/plain" (text already).

    `offset` is the byte in the file where its record starts: of the gzip member it is in, or, of JSON lines, in the
    uncompressed bytes.
    """

    offset: int
    url: str
    date: datetime | None
    mime: str
    body: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A document that reading itself turns away. `reason` is the name it is counted under, `offset` as of a page."""

    offset: int
    url: str
    date: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Damage: `offset` is the byte in `file` where it starts, `cause` a sentence for the user."""

    file: str
    offset: int
    cause: str


@dataclass(frozen=True, slots=True)
class OtherRecord:
    """A record that is no document. `kind` is its type, for example "request"."""

    kind: str


Found = Page | Dropped | Unreadable | OtherRecord


def date_of(text: str) -> datetime | None:
    """A date in UTC; None for what is none, or is outside the years 1 to 9999, as it is the page that matters."""
    try:
        date = datetime.fromisoformat(text.upper())
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None

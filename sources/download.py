"""One gzip file over HTTP, whole and checked or not at all.

In: a URL and a local path. Out: the file under that path, and what it was checked against. What stays true: until its
size and checksum are right a file is `path.part`, which the next call continues; `path.part.etag` beside it says of
which version of the file it is a part.
"""

import contextlib
import gzip
import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests

# Tries in a row that brought nothing new, and the seconds before the second of them; the wait then doubles.
TRIES = 6
FIRST_WAIT = 1.0
MAX_WAIT = 60.0
# Seconds to connect, and between two pieces.
_TIMEOUT = (10.0, 60.0)
# What a broken connection loses at most: requests hands on whole pieces only.
_PIECE = 1 << 17
_MIB = 1 << 20
# A multipart tag does not say how long the parts were; reading a shard of 1 GB for one guess takes about 2 s.
_GUESSES = 16

Progress = Callable[[int, int], None]


class DownloadError(OSError):
    """A file could not be had; the message names it."""


class NotFoundError(DownloadError):
    """The server has no such file."""


class _TryAgainError(Exception):
    """The server cannot answer now; it asks to be left alone for `wait` seconds."""

    def __init__(self, cause: str, wait: float = 0.0) -> None:
        super().__init__(cause)
        self.wait = wait


class _DamagedError(Exception):
    """What came is not what was wanted."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """`size` is in bytes; `verified` is what the file was found to agree with besides its size."""

    size: int
    sha256: str
    etag: str
    verified: str


def download(url: str, path: str, progress: Progress) -> Downloaded:
    """Get the gzip file at `url` to the local `path`, whose folder is there.

    `progress` gets the bytes so far and the bytes in all. Raises NotFoundError when the server has no such file, and
    DownloadError when it keeps failing or when what it sends is damaged twice.
    """
    part = _Part(path)
    for is_last in (False, True):
        size, etag = _transfer(url, part, progress)
        try:
            verified = _verify(part.path, size, etag)
        except _DamagedError as error:
            part.remove()
            if is_last:
                raise DownloadError(f"{url} came damaged twice: {error}") from error
        else:
            break
    done = Downloaded(size, _hash_file(part.path, "sha256"), etag, verified)
    part.finish(path)
    return done


class _Part:
    """The beginning of a file, and the entity tag of the whole."""

    def __init__(self, path: str) -> None:
        self.path = f"{path}.part"
        self._etag_path = f"{self.path}.etag"

    def etag(self) -> str:
        with contextlib.suppress(FileNotFoundError), open(self._etag_path, encoding="utf-8") as file:
            return file.read()
        return ""

    def size(self) -> int:
        """Bytes that a request may continue: none where the tag is weak or missing (RFC 9110, 13.1.5)."""
        return os.path.getsize(self.path) if os.path.exists(self.path) and self.etag().startswith('"') else 0

    def start(self, etag: str) -> None:
        # The old bytes go first: they must never be found beside the new tag.
        self.remove()
        with open(self._etag_path, "w", encoding="utf-8") as file:
            file.write(etag)

    def append(self, pieces: Iterable[bytes], progress: Callable[[int], None]) -> None:
        with open(self.path, "ab") as file:
            for piece in pieces:
                file.write(piece)
                progress(file.tell())
            # Without this a power cut after the rename can leave holes under the final name.
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        for path in (self.path, self._etag_path):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def finish(self, path: str) -> None:
        os.replace(self.path, path)
        os.remove(self._etag_path)


def _transfer(url: str, part: _Part, progress: Progress) -> tuple[int, str]:
    """Fill `part`, however often the server fails on the way; returns the size it should have, and its tag."""
    best, failures = 0, 0
    while True:
        try:
            return _request(url, part, progress)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            cause, wait = str(error), 0.0
        except _TryAgainError as error:
            cause, wait = str(error), error.wait
        failures = 1 if part.size() > best else failures + 1
        best = max(best, part.size())
        if failures == TRIES:
            raise DownloadError(f"{url}: gave up after {TRIES} tries in a row; the last one: {cause}")
        time.sleep(min(MAX_WAIT, max(wait, FIRST_WAIT * 2 ** (failures - 1))))


def _request(url: str, part: _Part, progress: Progress) -> tuple[int, str]:
    """One request for what `part` lacks; returns as `_transfer` does."""
    have, etag = part.size(), part.etag()
    headers = {"User-Agent": "crawlmill", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        status = response.status_code
        if status == 404:
            raise NotFoundError(f"{url}: there is no such file (status 404)")
        if status == 429 or status >= 500:
            raise _TryAgainError(f"status {status}", _retry_after(response.headers.get("Retry-After", "")))
        first, size = _content_range(response.headers.get("Content-Range", ""))
        if status == 416 and have and size == have:
            return size, etag
        if status == 416 or (status == 206 and first != have):
            part.remove()
            raise _TryAgainError(f"status {status} with another range than {have}-")
        if status not in (200, 206):
            raise DownloadError(f"{url}: status {status} {response.reason}")
        if status == 200:
            if "Content-Length" not in response.headers:
                raise DownloadError(f"{url}: the server does not say how long the file is")
            size, etag = int(response.headers["Content-Length"]), response.headers.get("ETag", "")
            part.start(etag)
        part.append(response.iter_content(_PIECE), lambda so_far: progress(so_far, size))
    return size, etag


def _content_range(header: str) -> tuple[int, int]:
    """First byte and size of the whole, of "bytes 5-9/10"; -1 for what it does not say, as in "bytes */10"."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", header)
    return (-1, -1) if match is None else (int(match[1] or -1), -1 if match[2] == "*" else int(match[2]))


def _retry_after(header: str) -> float:
    """Seconds from a Retry-After header, which gives them or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\d+", header):
        return float(header)
    try:
        return (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _verify(path: str, size: int, etag: str) -> str:
    """Check the file against its size and its entity tag; returns what it agreed with.

    Amazon S3's tag is the MD5 of the file or, of one uploaded in n parts, `<MD5 of the parts' MD5s>-<n>`. Where the
    tag is neither, or the parts were of another size than those tried, every gzip member's CRC has to be right.
    """
    got = os.path.getsize(path)
    if got != size:
        raise _DamagedError(f"{size} bytes wanted, {got} got")
    tag = re.fullmatch(r'"([0-9a-f]{32})(?:-([1-9]\d*))?"', etag)
    if tag and tag[2] is None:
        md5 = _hash_file(path, "md5")
        if md5 != tag[1]:
            raise _DamagedError(f"MD5 {tag[1]} wanted, {md5} got")
        return "MD5"
    if tag:
        for length in _part_lengths(size, int(tag[2])):
            if _multipart_md5(path, length) == tag[1]:
                return f"MD5 of parts of {length // _MIB} MiB"
    try:
        with gzip.open(path) as file:
            while file.read(_MIB):
                pass
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _DamagedError(f"gzip members with the right CRC wanted, got: {error}") from error
    return "gzip CRC"


def _part_lengths(size: int, parts: int) -> list[int]:
    """Whole MiB that divide `size` bytes into so many parts, in bytes; powers of two, as uploaders use, come first."""
    lengths = [mib for mib in range(1, size // _MIB + 2) if -(-size // (mib * _MIB)) == parts]
    return [mib * _MIB for mib in sorted(lengths, key=lambda mib: (mib.bit_count(), mib))[:_GUESSES]]


def _multipart_md5(path: str, length: int) -> str:
    whole = hashlib.md5()
    with open(path, "rb") as file:
        while piece := file.read(_MIB):
            part = hashlib.md5(piece)
            for _ in range(length // _MIB - 1):
                part.update(file.read(_MIB))
            whole.update(part.digest())
    return whole.hexdigest()


def _hash_file(path: str, name: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, name).hexdigest()

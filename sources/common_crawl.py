"""Files of a real Common Crawl, fetched into a local folder.

In: a crawl's name and a number of shards. Out: the files, and `fetch.json` that says of each where it came from, its
size, its SHA-256 and what it was checked against. What stays true: a file under its final name is whole; `fetch.json`
names only such files; what it names is not fetched again. Layout: https://commoncrawl.org/get-started
"""

import gzip
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from corpus import storage
from sources.download import NotFoundError, download

Kind = Literal["warc", "wet"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """`path` is the file's name in the crawl, `file` the one here; it was here already if `skipped`."""

    path: str
    file: str
    size: int
    sha256: str
    etag: str
    verified: str
    skipped: bool


def fetch(
    crawl: str,
    *,
    shards: int,
    out: str,
    base_url: str = "https://data.commoncrawl.org",
    kind: Kind = "warc",
    progress: Progress = lambda name, done, size: None,
) -> list[FetchedFile]:
    """Fetch `shards` files of `crawl`, for example "CC-MAIN-2026-04", into the folder `out`.

    They are spread evenly over the crawl's list: number `i * files // shards` for every i, so twice as many shards
    include the ones before. `progress` gets a file's name, its bytes so far and in all. Raises ValueError for a crawl
    that does not exist, more shards than it has or a folder of another crawl, DownloadError when the server fails.
    """
    _check_name(crawl)
    if shards < 1:
        raise ValueError(f"{shards} shards were asked for; ask for at least 1")
    if "://" in out:
        raise ValueError(f"{out}: downloads are continued in place, which takes a local folder; copy them there after")
    os.makedirs(out, exist_ok=True)
    folder = _Folder(out, crawl, base_url.rstrip("/"), progress)
    try:
        listed = folder.get(f"crawl-data/{crawl}/{kind}.paths.gz").file
    except NotFoundError as error:
        raise ValueError(f"{crawl} does not exist; https://index.commoncrawl.org lists the crawls ({error})") from error
    paths = gzip.decompress(storage.read_bytes(listed)).decode().split()
    if shards > len(paths):
        raise ValueError(f"{shards} shards were asked for, but {crawl} has {len(paths)} {kind} files; ask for fewer")
    return [folder.get(paths[i * len(paths) // shards]) for i in range(shards)]


def _check_name(crawl: str) -> None:
    if re.fullmatch(r"CC-MAIN-\d{4}-\d{2}", crawl):
        return
    parts = re.search(r"(20\d\d)\D?(\d{1,2})(?!\d)", crawl)
    hint = f"; did you mean CC-MAIN-{parts[1]}-{int(parts[2]):02}?" if parts else ""
    raise ValueError(f"{crawl!r} is no crawl's name; they are CC-MAIN-YYYY-WW, the year and the week{hint}")


class _Folder:
    """The folder that is fetched into, and its record."""

    def __init__(self, out: str, crawl: str, base: str, progress: Progress) -> None:
        self._out = out
        self._base = base
        self._progress = progress
        self._record_path = storage.join(out, "fetch.json")
        self._record: dict[str, Any] = {"crawl": crawl, "base": base, "files": {}}
        if storage.exists(self._record_path):
            self._record = storage.read_json(self._record_path)
        before = (self._record["crawl"], self._record["base"])
        if before != (crawl, base):
            raise ValueError(f"{out} holds files of {' from '.join(before)}; fetch {crawl} from {base} elsewhere")

    def get(self, path: str) -> FetchedFile:
        """The file `path` of the crawl, from here if it is whole and else from the server."""
        name = path.rsplit("/", 1)[-1]
        file = storage.join(self._out, name)
        known = self._record["files"].get(path)
        skipped = known is not None and storage.exists(file) and storage.size(file) == known["size"]
        if not skipped:
            url = f"{self._base}/{path}"
            known = asdict(download(url, file, lambda done, size: self._progress(name, done, size)))
            self._record["files"][path] = known
            storage.write_json(self._record_path, self._record)
        return FetchedFile(path, file, **known, skipped=skipped)

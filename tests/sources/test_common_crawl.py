import gzip
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sources import download
from sources.common_crawl import FetchedFile, fetch
from sources.download import DownloadError

CRAWL = "CC-MAIN-2026-04"
MIB = 1 << 20


def multipart_tag(data: bytes, length: int) -> str:
    parts = [hashlib.md5(data[at : at + length]).digest() for at in range(0, len(data), length)]
    return f'"{hashlib.md5(b"".join(parts)).hexdigest()}-{len(parts)}"'


def md5_tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


class Site:
    """A Common Crawl of `shards` gzip files. `faults` are what it does at the next requests for a path, in turn."""

    def __init__(self, shards: int = 8, size: int = 3 * MIB) -> None:
        self.paths = [f"crawl-data/{CRAWL}/segments/1.{i % 3}/warc/CC-MAIN-x-{i:05}.warc.gz" for i in range(shards)]
        # Stored, so that the tests need not wait for the compressor.
        self.files = {path: gzip.compress(random.Random(path).randbytes(size), 0, mtime=0) for path in self.paths}
        listed = gzip.compress("".join(f"{path}\n" for path in self.paths).encode(), mtime=0)
        self.files[f"crawl-data/{CRAWL}/warc.paths.gz"] = listed
        self.tag: Callable[[bytes], str] = md5_tag
        self.faults: dict[str, list[str]] = {}
        self.log: list[tuple[str, int, str]] = []
        self.url = ""

    def requests(self, shard: int) -> list[tuple[int, str]]:
        """Status and range of every request for a shard."""
        return [(status, wanted) for path, status, wanted in self.log if path == self.paths[shard]]


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        path, wanted = self.path.lstrip("/"), self.headers.get("Range", "")
        fault = self.site.faults[path].pop(0) if self.site.faults.get(path) else ""
        data = self.site.files.get(path)
        if data is None or re.match(r"\d{3}", fault):
            status, _, retry_after = (fault or "404").partition(" ")
            self.answer(int(status), {"Retry-After": retry_after} if retry_after else {}, b"")
            return
        tag, first = self.site.tag(data), 0
        headers = {"ETag": tag} if tag else {}
        match = re.fullmatch(r"bytes=(\d+)-", wanted)
        if match and self.headers["If-Range"] == tag and "ignore range" not in fault:
            first = int(match[1])
            if first >= len(data):
                self.answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
                return
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        body = data[first:]
        if fault == "corrupt":
            body = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
        self.answer(206 if first else 200, headers, body, cut=len(body) // 2 if "drop" in fault else 0)

    def answer(self, status: int, headers: dict[str, str], body: bytes, cut: int = 0) -> None:
        self.site.log.append((self.path.lstrip("/"), status, self.headers.get("Range", "")))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut] if cut else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of these tests."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()
    with Server(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site})) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(download, "FIRST_WAIT", 0.001)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield site
        server.shutdown()


@pytest.fixture
def out(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "out"


def fetch_from(site: Site, out: pathlib.Path, shards: int = 1) -> list[FetchedFile]:
    return fetch(CRAWL, shards=shards, out=str(out), base_url=site.url)


def stop_after(size: int) -> Callable[[str, int, int], None]:
    def progress(name: str, done: int, whole: int) -> None:
        if name.endswith(".warc.gz") and done >= size:
            raise KeyboardInterrupt

    return progress


def test_shards_are_spread_evenly_and_twice_as_many_include_the_ones_before(site: Site, out: pathlib.Path) -> None:
    two = fetch_from(site, out, 2)
    assert [file.path for file in two] == [site.paths[0], site.paths[4]]
    four = fetch_from(site, out, 4)
    assert [file.path for file in four] == [site.paths[i] for i in (0, 2, 4, 6)]
    assert [file.skipped for file in four] == [True, False, True, False]
    assert [len(site.requests(i)) for i in range(8)] == [1, 0, 1, 0, 1, 0, 1, 0]


def test_files_are_the_servers_and_the_record_says_so(site: Site, out: pathlib.Path) -> None:
    seen: list[tuple[str, int, int]] = []
    files = fetch(
        CRAWL, shards=8, out=str(out), base_url=f"{site.url}/", progress=lambda *arguments: seen.append(arguments)
    )
    record = json.loads((out / "fetch.json").read_text())
    assert (record["crawl"], record["base"]) == (CRAWL, site.url)
    assert record["files"].keys() == site.files.keys()
    for file in files:
        data = site.files[file.path]
        assert pathlib.Path(file.file).read_bytes() == data
        assert (file.size, file.sha256, file.etag) == (len(data), hashlib.sha256(data).hexdigest(), md5_tag(data))
        assert (file.verified, file.skipped) == ("MD5", False)
        assert record["files"][file.path] == {
            "size": file.size,
            "sha256": file.sha256,
            "etag": file.etag,
            "verified": "MD5",
        }
        assert (os.path.basename(file.file), len(data), len(data)) in seen
    names = {os.path.basename(path) for path in site.files}
    assert set(os.listdir(out)) == {*names, "fetch.json"}


def test_running_again_asks_the_server_for_nothing(site: Site, out: pathlib.Path) -> None:
    first = fetch_from(site, out, 2)
    before, site.log = (out / "fetch.json").read_bytes(), []
    again = fetch_from(site, out, 2)
    assert site.log == []
    assert all(file.skipped for file in again)
    assert [(file.path, file.sha256) for file in again] == [(file.path, file.sha256) for file in first]
    assert (out / "fetch.json").read_bytes() == before


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: os.truncate(path, 100)])
def test_a_file_that_is_gone_or_short_is_fetched_again(
    site: Site, out: pathlib.Path, damage: Callable[[pathlib.Path], None]
) -> None:
    (file,) = fetch_from(site, out)
    damage(pathlib.Path(file.file))
    (again,) = fetch_from(site, out)
    assert not again.skipped
    assert pathlib.Path(file.file).read_bytes() == site.files[file.path]


def test_a_killed_fetch_is_continued_where_it_was(site: Site, out: pathlib.Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(CRAWL, shards=2, out=str(out), base_url=site.url, progress=stop_after(2 * MIB))
    part = out / f"{os.path.basename(site.paths[0])}.part"
    have = part.stat().st_size
    assert 2 * MIB <= have < len(site.files[site.paths[0]])
    assert not list(out.glob("*.warc.gz"))
    files = fetch_from(site, out, 2)
    assert site.requests(0) == [(200, ""), (206, f"bytes={have}-")]
    assert [pathlib.Path(file.file).read_bytes() for file in files] == [site.files[file.path] for file in files]
    assert not list(out.glob("*.part*"))


def test_a_part_of_another_version_is_not_continued(site: Site, out: pathlib.Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(CRAWL, shards=1, out=str(out), base_url=site.url, progress=stop_after(2 * MIB))
    site.files[site.paths[0]] = gzip.compress(b"another version" * 200_000, mtime=0)
    (file,) = fetch_from(site, out)
    assert [status for status, _ in site.requests(0)] == [200, 200]
    assert pathlib.Path(file.file).read_bytes() == site.files[site.paths[0]]


@pytest.mark.parametrize("tag", [lambda data: "", lambda data: f'W/"{len(data)}"'], ids=["none", "weak"])
def test_a_part_without_a_strong_tag_is_not_continued(
    site: Site, out: pathlib.Path, tag: Callable[[bytes], str]
) -> None:
    site.tag = tag
    with pytest.raises(KeyboardInterrupt):
        fetch(CRAWL, shards=1, out=str(out), base_url=site.url, progress=stop_after(2 * MIB))
    (file,) = fetch_from(site, out)
    assert site.requests(0) == [(200, ""), (200, "")]
    assert file.verified == "gzip CRC"


def test_a_part_that_is_whole_already_is_checked_and_renamed(site: Site, out: pathlib.Path) -> None:
    data = site.files[site.paths[0]]
    out.mkdir()
    part = out / f"{os.path.basename(site.paths[0])}.part"
    part.write_bytes(data)
    part.with_name(f"{part.name}.etag").write_text(md5_tag(data))
    (file,) = fetch_from(site, out)
    assert site.requests(0) == [(416, f"bytes={len(data)}-")]
    assert pathlib.Path(file.file).read_bytes() == data
    assert (file.size, file.etag) == (len(data), md5_tag(data))


def test_a_part_that_is_too_long_is_thrown_away(site: Site, out: pathlib.Path) -> None:
    data = site.files[site.paths[0]]
    out.mkdir()
    part = out / f"{os.path.basename(site.paths[0])}.part"
    part.write_bytes(data + b"more")
    part.with_name(f"{part.name}.etag").write_text(md5_tag(data))
    (file,) = fetch_from(site, out)
    assert [status for status, _ in site.requests(0)] == [416, 200]
    assert pathlib.Path(file.file).read_bytes() == data


def test_dropped_connections_are_continued_for_as_long_as_something_comes(site: Site, out: pathlib.Path) -> None:
    drops = download.TRIES + 2
    site.faults[site.paths[0]] = ["drop"] * drops
    (file,) = fetch_from(site, out)
    statuses = [status for status, _ in site.requests(0)]
    assert statuses == [200] + [206] * drops
    assert pathlib.Path(file.file).read_bytes() == site.files[file.path]


def test_a_server_that_ignores_the_range_starts_the_file_over(site: Site, out: pathlib.Path) -> None:
    site.faults[site.paths[0]] = ["drop", "ignore range"]
    (file,) = fetch_from(site, out)
    assert [status for status, _ in site.requests(0)] == [200, 200]
    assert pathlib.Path(file.file).read_bytes() == site.files[file.path]


def test_a_busy_server_is_asked_again_after_the_time_it_says(
    site: Site, out: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(download, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(time, "sleep", waits.append)
    site.faults[site.paths[0]] = ["503", "429 7", "500", "503 86400", "503 Wed, 21 Oct 2015 07:28:00 GMT"]
    (file,) = fetch_from(site, out)
    assert waits == [1.0, 7.0, 4.0, download.MAX_WAIT, 16.0]
    assert file.verified == "MD5"


@pytest.mark.parametrize("faults", [["503"] * 99, ["drop, ignore range"] * 99], ids=["busy", "no progress"])
def test_a_server_that_keeps_failing_is_given_up_by_name(site: Site, out: pathlib.Path, faults: list[str]) -> None:
    site.faults[site.paths[0]] = faults
    with pytest.raises(DownloadError, match=rf"{site.paths[0]}: gave up after {download.TRIES} tries"):
        fetch_from(site, out)
    assert len(site.requests(0)) == download.TRIES
    assert not list(out.glob("*.warc.gz"))


@pytest.mark.parametrize(
    ("tag", "verified"),
    [
        (md5_tag, "MD5"),
        (lambda data: multipart_tag(data, MIB), "MD5 of parts of 1 MiB"),
        (lambda data: multipart_tag(data, 2 * MIB), "MD5 of parts of 2 MiB"),
        (lambda data: multipart_tag(data, 3 * MIB), "MD5 of parts of 3 MiB"),
        (lambda data: multipart_tag(data, 700_000), "gzip CRC"),
        (lambda data: '"65f0c1-2f"', "gzip CRC"),
    ],
)
def test_a_file_is_checked_by_the_best_means_there_is_and_damage_once_is_mended(
    site: Site, out: pathlib.Path, tag: Callable[[bytes], str], verified: str
) -> None:
    site.tag = tag
    site.faults[site.paths[0]] = ["corrupt"]
    (file,) = fetch_from(site, out)
    assert file.verified == verified
    assert site.requests(0) == [(200, ""), (200, "")]
    assert pathlib.Path(file.file).read_bytes() == site.files[file.path]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("size", [5 * MIB - 1, 5 * MIB, 5 * MIB + 1])
def test_any_whole_number_of_mib_a_part_is_found(tmp_path: pathlib.Path, length: int, size: int) -> None:
    path, data = tmp_path / "file", random.Random(size).randbytes(size)
    path.write_bytes(data)
    verified = download._verify(str(path), size, multipart_tag(data, length * MIB))
    assert re.fullmatch(r"MD5 of parts of \d MiB", verified)


def test_damage_twice_names_the_file_what_was_wanted_and_what_came(site: Site, out: pathlib.Path) -> None:
    site.faults[site.paths[0]] = ["corrupt", "corrupt"]
    wanted = hashlib.md5(site.files[site.paths[0]]).hexdigest()
    with pytest.raises(DownloadError, match=rf"{site.paths[0]} came damaged twice: MD5 {wanted} wanted, \w{{32}} got"):
        fetch_from(site, out)
    assert sorted(os.listdir(out)) == ["fetch.json", "warc.paths.gz"]
    assert fetch_from(site, out)[0].verified == "MD5"


def test_what_is_whole_before_an_error_stays(site: Site, out: pathlib.Path) -> None:
    missing = site.files.pop(site.paths[4])
    with pytest.raises(DownloadError, match=rf"{site.paths[4]}: there is no such file"):
        fetch_from(site, out, 2)
    site.files[site.paths[4]] = missing
    assert [file.skipped for file in fetch_from(site, out, 2)] == [True, False]


@pytest.mark.parametrize(
    ("crawl", "message"),
    [
        ("CC-MAIN-2026-99", "CC-MAIN-2026-99 does not exist; https://index.commoncrawl.org lists"),
        ("CC-MAIN-2026-4", "did you mean CC-MAIN-2026-04?"),
        ("cc-main-2026-04", "did you mean CC-MAIN-2026-04?"),
        ("../../etc", "is no crawl's name; they are CC-MAIN-YYYY-WW, the year and the week$"),
    ],
)
def test_a_wrong_crawl_is_explained(site: Site, out: pathlib.Path, crawl: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fetch(crawl, shards=1, out=str(out), base_url=site.url)


@pytest.mark.parametrize(("shards", "message"), [(0, "0 shards"), (9, "9 shards .* has 8 warc files")])
def test_a_wrong_number_of_shards_is_explained(site: Site, out: pathlib.Path, shards: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fetch_from(site, out, shards)


def test_two_crawls_do_not_share_a_folder_and_a_bucket_is_none(site: Site, out: pathlib.Path) -> None:
    fetch_from(site, out)
    with pytest.raises(ValueError, match=rf"holds files of {CRAWL} from {site.url}; fetch CC-MAIN-2026-08"):
        fetch("CC-MAIN-2026-08", shards=1, out=str(out), base_url=site.url)
    with pytest.raises(ValueError, match=r"s3://bucket: .* local folder"):
        fetch(CRAWL, shards=1, out="s3://bucket", base_url=site.url)

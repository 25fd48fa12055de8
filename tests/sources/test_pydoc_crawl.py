import gzip
import json
import os
import pathlib
import pydoc_data.topics
import subprocess
import sys
import time
import zlib

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType, is_warc_11

from sources import pydoc_crawl, pydoc_server
from sources.pydoc_crawl import CrawlResult, crawl, find_modules

BAD = {
    "sleeps": "import time; time.sleep(3600)",
    "spins": "while True: pass",
    "exits": "import os; os._exit(3)",
    "crashes": "import ctypes; ctypes.string_at(0)",
}
ODD = {
    "prints": "print('x' * 1_000_000, flush=True)",
    "raises": "raise KeyError('the cause of it')",
    "leaves": "import sys; sys.exit(4)",
    "asks": "input()",
    "crashes_later": "import os, threading; threading.Timer(.3, os._exit, [5]).start()",
}


@pytest.fixture
def packages(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder that modules can be imported from, here and in the servers."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def write_package(folder: pathlib.Path, name: str, modules: dict[str, str]) -> None:
    (folder / name).mkdir()
    for module, code in {"__init__": "", **modules}.items():
        (folder / name / f"{module}.py").write_text(code)


def read_pages(result: CrawlResult) -> dict[str, str]:
    """Body by module, of every response in the shards."""
    pages = {}
    for file in result.files:
        for record in ArchiveIterator(pathlib.Path(file), record_types=WarcRecordType.response):
            module = record.headers["WARC-Target-URI"].removeprefix("http://pydoc.localhost/").removesuffix(".html")
            assert module not in pages
            pages[module] = record.reader.read().decode()
    return pages


def notes_pids(pids: pathlib.Path) -> str:
    """Code of a module that starts a process and notes the server's id and that one's."""
    return (
        "import os, subprocess\n"
        "child = subprocess.Popen(['sleep', '3600'])\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} {{child.pid}} ')\n"
    )


def assert_all_end(started: list[int]) -> None:
    # The servers may have been waited for, but their children are init's.
    deadline = time.monotonic() + 5
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in started if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_bad_modules_cost_their_own_page_and_nothing_else(packages: pathlib.Path, tmp_path: pathlib.Path) -> None:
    good = {f"good{i}": f"'''Good-{i}.'''" for i in range(8)}
    write_package(packages, "planted", {**BAD, **ODD, **good})
    result = crawl(str(tmp_path / "out"), packages=["planted"], timeout=3)
    pages = read_pages(result)
    assert pages.keys() == {"planted", *(f"planted.{name}" for name in [*ODD, *good])}
    assert all(f"Good-{i}." in pages[f"planted.good{i}"] for i in range(8))
    assert "KeyError: 'the cause of it'" in pages["planted.raises"]
    assert "EOFError" in pages["planted.asks"]
    assert [(failure.module, failure.cause) for failure in result.failed] == [
        ("planted.crashes", "SIGSEGV"),
        ("planted.exits", "the server exited with status 3"),
        ("planted.sleeps", "no answer in time"),
        ("planted.spins", "no answer in time"),
    ]
    assert result.pages == len(pages)
    assert result.bytes == sum(len(page.encode()) for page in pages.values())


def test_shards_are_warc_files_of_what_came_over_the_wire(packages: pathlib.Path, tmp_path: pathlib.Path) -> None:
    write_package(packages, "planted", {f"m{i:02}": f"__doc__ = {'word ' * 100 * i!r}" for i in range(40)})
    result = crawl(str(tmp_path / "out"), packages=["planted"])
    assert [os.path.basename(file) for file in result.files] == [f"docs-0000{i}.warc.gz" for i in range(5)]
    assert sorted(os.listdir(tmp_path / "out")) == [*map(os.path.basename, result.files), "reference.jsonl.gz"]
    sizes = []
    for file in result.files:
        data, members = pathlib.Path(file).read_bytes(), []
        while data:
            member = zlib.decompressobj(wbits=31)
            members.append(member.decompress(data))
            assert member.eof
            data = member.unused_data
        assert all(member.startswith(b"WARC/1.1\r\n") and member.endswith(b"\r\n\r\n") for member in members)
        assert [b"WARC-Type: warcinfo" in member for member in members] == [True] + [False] * (len(members) - 1)
        assert all(b"\r\n\r\nHTTP/1.0 200 OK\r\nServer: BaseHTTP" in member for member in members[1:])
        sizes.append(sum(map(len, members)))

        info, *responses = ArchiveIterator(pathlib.Path(file), parse_http=False)
        assert info.record_type == WarcRecordType.warcinfo
        for record in ArchiveIterator(pathlib.Path(file), record_types=WarcRecordType.response):
            assert is_warc_11(record)
            assert record.verify_payload_digest()
            assert (record.http_content_type, record.http_charset) == ("text/html", "utf-8")
            assert record.record_date is not None
            assert record.record_date.tzinfo is not None
            assert record.http_date is not None
        assert all(
            record.verify_block_digest()
            for record in ArchiveIterator(pathlib.Path(file), parse_http=False, record_types=WarcRecordType.response)
        )
        assert len(responses) == len(members) - 1
    assert max(sizes) < 1.5 * min(sizes)


def test_long_pages_are_cut_and_marked(
    packages: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydoc_server, "MAX_BODY", 50_000)
    write_package(packages, "planted", {"long": f"__doc__ = {'word ' * 20_000!r}", "short": ""})
    result = crawl(str(tmp_path / "out"), packages=["planted"])
    truncated = {}
    for file in result.files:
        for record in ArchiveIterator(pathlib.Path(file), record_types=WarcRecordType.response):
            assert record.verify_payload_digest()
            truncated[record.headers["WARC-Target-URI"]] = (record.headers.get("WARC-Truncated"), record.content_length)
    assert truncated.pop("http://pydoc.localhost/planted.long.html") == ("length", 50_000)
    assert {marked for marked, _ in truncated.values()} == {None}
    assert not result.failed


def test_a_status_other_than_200_is_kept_and_is_no_page_and_half_an_answer_is_a_failure(
    packages: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "gone" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>" if "half" in self.path else b"<html></html>")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
    monkeypatch.setattr(pydoc_server, "_SERVER", server)
    write_package(packages, "planted", {"gone": "", "half": "", "there": ""})
    result = crawl(str(tmp_path / "out"), packages=["planted"])
    assert (result.pages, result.bytes) == (2, 2 * len("<html></html>"))
    assert "Error code: 404" in read_pages(result)["planted.gone"]
    assert [(failure.module, failure.cause) for failure in result.failed] == [("planted.half", "the connection broke")]


def test_pages_are_the_first_ones_in_order_and_progress_counts_them(
    packages: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    write_package(packages, "planted", {"a": "import os; os._exit(1)", **dict.fromkeys("bcdefgh", "")})
    seen: list[tuple[int, int]] = []
    result = crawl(
        str(tmp_path / "out"), pages=4, packages=["planted"], progress=lambda done, most: seen.append((done, most))
    )
    assert read_pages(result).keys() == {"planted", "planted.b", "planted.c", "planted.d"}
    assert [failure.module for failure in result.failed] == ["planted.a"]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_no_process_and_no_file_is_left_after_an_interrupt(packages: pathlib.Path, tmp_path: pathlib.Path) -> None:
    pids = tmp_path / "pids"
    write_package(packages, "planted", {**dict.fromkeys("abcdef", notes_pids(pids)), "g": "while True: pass"})

    def interrupt(done: int, most: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crawl(str(tmp_path / "out"), packages=["planted"], progress=interrupt)
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) >= 8
    assert_all_end(started)
    assert os.listdir(tmp_path / "out") == []


def test_no_process_is_left_after_the_crawl_itself_is_killed(packages: pathlib.Path, tmp_path: pathlib.Path) -> None:
    pids = tmp_path / "pids"
    write_package(packages, "planted", {"hangs": notes_pids(pids) + "import time; time.sleep(3600)"})
    code = f"from sources.pydoc_crawl import crawl; crawl({str(tmp_path / 'out')!r}, packages=['planted'])"
    paths = os.pathsep.join([str(packages), str(pathlib.Path(pydoc_crawl.__file__).parents[1])])
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    ) as crawler:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            assert crawler.poll() is None
            time.sleep(0.01)
        crawler.kill()
    assert_all_end([int(pid) for pid in pids.read_text().split()])
    assert not list((tmp_path / "out").glob("*.gz"))


def test_a_module_sees_an_empty_folder_no_display_and_nothing_of_the_users(
    packages: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "SECRET_TOKEN"):
        monkeypatch.setenv(name, "the-users")
    code = (
        "import os, sys, webbrowser\n"
        "__version__ = ' '.join(['|', os.environ['HOME'], os.getcwd(), repr('the-users' in os.environ.values()),\n"
        "    repr(sys.stdin.read()), repr('' in sys.path), repr(webbrowser.get().name), '|'])"
    )
    write_package(packages, "planted", {"looks": code})
    result = crawl(str(tmp_path / "out"), packages=["planted"])
    page = read_pages(result)["planted.looks"]
    home, cwd, users, stdin, here, browser = page.split("| ")[1].split(" |")[0].split(" ")
    assert home == cwd
    assert not os.path.exists(home)
    assert (users, stdin, here, browser) == ("False", "''", "False", "'true'")
    assert not list(packages.rglob("__pycache__"))


def test_compiled_modules_have_their_pages(tmp_path: pathlib.Path) -> None:
    # pydoc by itself imports numpy anew for every page of it, which numpy refuses.
    result = crawl(str(tmp_path), pages=4, packages=["numpy"], servers=1)
    pages = read_pages(result)
    assert len(pages) == 4
    assert not [module for module, page in pages.items() if "ErrorDuringImport" in page]


def test_reference_is_the_language_reference_and_its_bytes_do_not_change(
    packages: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    write_package(packages, "planted", {})
    first, second = (crawl(str(tmp_path / name), packages=["planted"]).reference for name in ("one", "two"))
    assert pathlib.Path(first).read_bytes() == pathlib.Path(second).read_bytes()
    with gzip.open(first) as file:
        rows = [json.loads(line) for line in file]
    assert {row["title"]: row["text"] for row in rows} == pydoc_data.topics.topics
    assert len({row["id"] for row in rows}) == len(rows)


def test_modules_are_found_breadth_first_without_importing_them(packages: pathlib.Path) -> None:
    explodes = "raise SystemExit"
    write_package(packages, "planted", dict.fromkeys(["b", "a", "_private", "__main__", "tests"], explodes))
    write_package(packages / "planted", "a_package", {"__init__": explodes, "deep": explodes})
    write_package(packages / "planted", "test", {"inner": ""})
    write_package(packages, "other", {"c": explodes})
    assert find_modules(["planted", "other"]) == [
        *("planted", "other", "planted.a", "planted.a_package", "planted.b", "other.c", "planted.a_package.deep")
    ]
    assert "planted" not in sys.modules


def test_default_packages_are_enough_and_have_no_traps() -> None:
    modules = find_modules()
    assert len(modules) == len(set(modules)) >= 1800
    assert modules == find_modules()
    assert (
        modules.index("json") < modules.index("numpy") < modules.index("json.decoder") < modules.index("numpy.linalg")
    )
    traps = {"antigravity", "this", "idlelib", "turtledemo", "__main__", "test", "tests"}
    assert not [module for module in modules if traps & set(module.split("."))]
    assert not {"sympy", "torch", "ray"} & {module.split(".")[0] for module in modules}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"packages": ["json", "no_such_package"]}, "no_such_package"),
        ({"packages": ["json.decoder"]}, "json.decoder"),
        ({"packages": ["antigravity"]}, "antigravity"),
        ({"pages": 0}, "0 pages"),
        ({"servers": 0}, "0 servers"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, object], message: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=message):
        pydoc_crawl.crawl(str(tmp_path), **arguments)  # type: ignore[arg-type]

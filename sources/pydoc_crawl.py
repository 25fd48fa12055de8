"""The demo's crawl: documentation of the installed Python packages, as pydoc serves it over loopback HTTP.

In: package names. Out, in one folder: WARC shards `docs-00000.warc.gz`, ... of what the servers answered, and
`reference.jsonl.gz`, the language reference of the standard library, as examples of good text. What stays true: the
pages are the first ones breadth-first from the packages, whichever server was faster; a module that hangs or crashes
costs its own page; no server outlives the crawl, and nothing is written but the files above.
"""

import asyncio
import contextlib
import gzip
import importlib.util
import json
import pkgutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pydoc_data.topics import topics

from corpus import storage
from sources.pydoc_server import Failure, ServerPool
from sources.warc_writer import Answer, WarcFile, open_warc

SHARDS = 5

# What the dependencies bring and imports quickly, so not torch and ray; and not sympy, whose first page is 59 MB.
PACKAGES = (
    *("numpy", "scipy", "sklearn", "pyarrow", "numba", "networkx", "joblib"),
    *("pydantic", "rich", "click", "jinja2", "yaml", "tqdm", "jsonschema", "packaging", "markdown_it", "pygments"),
    *("requests", "urllib3", "fsspec", "huggingface_hub", "lxml", "trafilatura", "courlan", "htmldate", "resiliparse"),
    *("tokenizers", "charset_normalizer", "dateutil", "babel", "dateparser"),
)

# Tests are not documentation; antigravity opens a browser, this prints a poem, the other two are GUIs.
_SKIPPED = frozenset({"test", "tests", "idle_test", "antigravity", "this", "idlelib", "turtledemo"})


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """`pages` answers of status 200, `bytes` of them as served; `files` are the WARC shards, `failed` in page order."""

    pages: int
    bytes: int
    failed: tuple[Failure, ...]
    files: tuple[str, ...]
    reference: str


def crawl(
    out: str,
    *,
    pages: int = 1800,
    packages: Sequence[str] | None = None,
    servers: int = 2,
    timeout: float = 20.0,
    progress: Callable[[int, int], None] = lambda done, most: None,
) -> CrawlResult:
    """Crawl at most `pages` pages into the folder `out`; there may be fewer modules.

    `packages` are import names; without any it is the standard library and those of `PACKAGES` that are installed.
    A page may take `timeout` seconds. `progress` gets the pages so far and the most there can be.
    Raises ValueError for a package that is not installed.
    """
    if pages < 1 or servers < 1:
        raise ValueError(f"{pages} pages and {servers} servers were asked for; ask for at least 1 of each")
    modules = find_modules(packages)
    files = tuple(storage.join(out, f"docs-{shard:05}.warc.gz") for shard in range(SHARDS))
    with contextlib.ExitStack() as stack:
        # Killed servers may leave files behind while their children are still ending.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pydoc-", ignore_cleanup_errors=True))
        shards = _Shards([stack.enter_context(open_warc(file, "crawlmill demo")) for file in files])

        def keep(answer: Answer) -> bool:
            shards.write(answer)
            progress(shards.pages, min(pages, len(modules)))
            return shards.pages < pages

        failed = asyncio.run(_visit_all(modules, keep, servers, folder, timeout))
    return CrawlResult(shards.pages, shards.bytes, tuple(failed), files, _write_reference(out))


def find_modules(packages: Sequence[str] | None = None) -> list[str]:
    """The modules to visit, breadth-first and sorted in every package; nothing is imported to find them."""
    if packages is None:
        specs = [_find(name) for name in [*sorted(sys.stdlib_module_names), *PACKAGES]]
    else:
        specs = [_find(name) for name in packages]
        for name, spec in zip(packages, specs, strict=True):
            if spec is None:
                raise ValueError(
                    f"there is no module {name!r} to document; name installed packages as one imports them"
                )
    level = [spec for spec in specs if spec]
    modules = []
    while level:
        modules += [spec.name for spec in level]
        level = [child for spec in level for child in _children(spec)]
    return list(dict.fromkeys(modules))


def _find(name: str) -> ModuleSpec | None:
    return importlib.util.find_spec(name) if _is_public(name) else None


def _is_public(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and name not in _SKIPPED


def _children(package: ModuleSpec) -> Iterator[ModuleSpec]:
    folders = package.submodule_search_locations or []
    for module in pkgutil.iter_modules(folders):
        if _is_public(module.name) and (spec := PathFinder.find_spec(f"{package.name}.{module.name}", folders)):
            yield spec


async def _visit_all(
    modules: Sequence[str], keep: Callable[[Answer], bool], servers: int, folder: str, timeout: float
) -> list[Failure]:
    """Hand the answers to `keep` in the order of `modules` until it says that it has enough; returns the others."""
    pool = ServerPool(servers, folder, timeout)
    visits = deque(asyncio.create_task(pool.visit(module)) for module in modules)
    failed = []
    try:
        while visits:
            found = await visits.popleft()
            if isinstance(found, Failure):
                failed.append(found)
            elif not keep(found):
                break
    finally:
        for visit in visits:
            visit.cancel()
        pool.close()
    return failed


class _Shards:
    """Answers spread over files so that they grow alike, and a count of them."""

    def __init__(self, files: list[WarcFile]) -> None:
        self._files = files
        self._sizes = [0] * len(files)
        self.pages = 0
        self.bytes = 0

    def write(self, answer: Answer) -> None:
        smallest = self._sizes.index(min(self._sizes))
        self._files[smallest].write(answer)
        self._sizes[smallest] += len(answer.body)
        if answer.status == 200:
            self.pages += 1
            self.bytes += len(answer.body)


def _write_reference(out: str) -> str:
    """Topics of the language reference (`help("ASSERTION")` shows one), as JSON lines of id, title and text."""
    path = storage.join(out, "reference.jsonl.gz")
    rows = [{"id": f"topics/{title}", "title": title, "text": text} for title, text in sorted(topics.items())]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    storage.write_bytes(path, gzip.compress(lines.encode(), mtime=0))
    return path

"""pydoc's own HTTP server, in processes that a documented module may hang or crash.

In: module names. Out: the HTTP answer that was received for each, or why there is none. pydoc imports what it
documents, and an import can do anything: so a server is a process group of its own in a temporary folder, with no
display, browser or input, is killed when a page does not come, and ends by itself when this process does.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from sources.warc_writer import Answer

# A name of the loopback (RFC 6761) that, unlike the port, is the same in every crawl.
HOST = "pydoc.localhost"
# Where Common Crawl's WARC files cut a page off from 2013 on (github.com/commoncrawl/cc-notebooks).
MAX_BODY = 1 << 20

_SERVER = """
import os, pydoc, signal
until_parent_ends = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
# pydoc imports a module anew for its page; compiled ones refuse that: 57 of 60 pages of numpy and scipy were errors.
locate = pydoc.locate
pydoc.locate = lambda path, forceload=0: locate(path)
print(pydoc._start_server(pydoc._url_handler, "127.0.0.1", 0).port, flush=True)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.read(until_parent_ends, 1)
os.killpg(0, signal.SIGKILL)
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """A module without a page. `cause` is a few words for the user."""

    module: str
    cause: str


class ServerPool:
    """`servers` processes at work at the same time; `folder` is where they may write."""

    def __init__(self, servers: int, folder: str, timeout: float) -> None:
        self._folder = folder
        self._timeout = timeout
        self._running: dict[int, _Server] = {}
        self._idle: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(servers):
            self._idle.put_nowait(slot)

    async def visit(self, module: str) -> Answer | Failure:
        """The page of `module`, the first `MAX_BODY` bytes of it.

        What goes wrong may be the doing of a module that the server imported earlier, so it counts as this one's only
        on a server that has answered nothing yet.
        """
        slot = await self._idle.get()
        try:
            while True:
                if slot not in self._running:
                    self._running[slot] = _Server(self._folder)
                server = self._running[slot]
                try:
                    return await server.get(module, self._timeout)
                except (OSError, asyncio.IncompleteReadError) as error:
                    del self._running[slot]
                    status = server.kill()
                    if not server.answers:
                        return Failure(module, _cause(error, status))
        finally:
            self._idle.put_nowait(slot)

    def close(self) -> None:
        for server in self._running.values():
            server.kill()


class _Server:
    """One process; it answers one request at a time."""

    def __init__(self, folder: str) -> None:
        self.answers = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline()
        if not port:
            raise RuntimeError(f"the pydoc server did not start: {sys.executable} ended with status {self.kill()}")
        self._port = int(port)

    async def get(self, module: str, timeout: float) -> Answer:
        """Ask for one page. Raises OSError or IncompleteReadError when it does not come whole in `timeout` seconds."""
        date = datetime.now(UTC)
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(f"GET /{module}.html HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                body, whole = await _read(reader, MAX_BODY)
            finally:
                writer.close()
        # pydoc sends the head before it imports the module and gives no length: a crash looks like an empty page.
        if whole and not body.rstrip().endswith(b"</html>"):
            raise ConnectionError
        self.answers += 1
        return Answer(f"http://{HOST}/{module}.html", date, head, body, truncated=not whole)

    def kill(self) -> int:
        """Kill the process and all that it started. Returns its exit status; if it had ended before, that one."""
        # Leaving the block waits for the process; only then can its id become somebody else's.
        with self._process, contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.returncode


async def _read(reader: asyncio.StreamReader, most: int) -> tuple[bytes, bool]:
    """What comes, at most `most` bytes, and whether that was all."""
    try:
        return (await reader.readexactly(most + 1))[:most], False
    except asyncio.IncompleteReadError as end:
        return end.partial, True


def _cause(error: Exception, status: int) -> str:
    """Why there was no page; `status` is what the server ended with, before or by our killing it."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if status == -signal.SIGKILL:
        return "the connection broke"
    return f"the server exited with status {status}" if status >= 0 else signal.Signals(-status).name


def _environment(folder: str) -> dict[str, str]:
    """What a module may see: the programs, the modules that can be imported here, and nothing of the user's."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if os.path.isabs(path)),
        # The folder that it may write to is not one to import from.
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "BROWSER": "true",
        "MPLBACKEND": "agg",
        # The servers are the parallelism.
        "OMP_NUM_THREADS": "1",
    }

"""Lines sorted and without repeats, of which there may be more than memory holds.

In come lines in any order; out come all of them, each once, in the order of their bytes. What stays true: no more than
`IN_MEMORY` lines are held at once, and what comes out depends on nothing but which lines went in.
"""

import heapq
from collections.abc import Iterator

from corpus import storage

# With 60 bytes in it a line takes about 180 in a set: 500 MB in all.
IN_MEMORY = 3_000_000
_BATCH = 10_000


class SortedLines:
    """Lines are bytes without a line feed. Sorted runs of them go to `folder`, which is the caller's to remove."""

    def __init__(self, folder: str, in_memory: int = IN_MEMORY) -> None:
        self.folder = folder
        self.in_memory = in_memory
        self.lines: set[bytes] = set()
        self.runs: list[str] = []

    def add(self, line: bytes) -> None:
        assert b"\n" not in line, line
        self.lines.add(line)
        if len(self.lines) >= self.in_memory:
            path = storage.join(self.folder, f"run-{len(self.runs):05d}")
            with storage.open_write(path) as file:
                lines = sorted(self.lines)
                for start in range(0, len(lines), _BATCH):
                    file.write(b"".join(line + b"\n" for line in lines[start : start + _BATCH]))
            self.runs.append(path)
            self.lines = set()

    def merged(self) -> Iterator[bytes]:
        """All lines, each once and in order."""
        last = None
        for line in heapq.merge(sorted(self.lines), *map(_lines, self.runs)):
            if line != last:
                yield line
            last = line


def _lines(path: str) -> Iterator[bytes]:
    with storage.open_read(path) as file:
        for line in file:
            yield line.rstrip(b"\n")

"""A batch of texts as kernels see it: all their UTF-8 bytes in one array, and where each text starts in it.

What stays true: the bytes are valid UTF-8, because nothing else gets in, so a kernel never has to ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kernels.lines import Lines, find_lines
from kernels.words import Words, find_words

# Places and counts within a text are 32 bits wide.
MAX_BYTES = (1 << 31) - 1


@dataclass(frozen=True)
class Texts:
    """`data` are uint8, text i is `data[offsets[i]:offsets[i + 1]]`; `offsets` are int64, one more than texts.

    `languages` and `urls` have an entry a text, None where it is not known.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    languages: Sequence[str | None]
    urls: Sequence[str | None]

    @classmethod
    def of(
        cls,
        texts: pa.LargeStringArray | Sequence[str],
        languages: Sequence[str | None] | None = None,
        urls: Sequence[str | None] | None = None,
    ) -> Self:
        """Raises ValueError for a null, for bytes that are not UTF-8 and for a text of 2 GB and more."""
        array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string())
        if array.null_count:
            raise ValueError(f"text {array.is_null().index(True).as_py()} of the batch is null; give an empty one")
        try:
            array.validate(full=True)
        except pa.ArrowInvalid as error:
            raise ValueError(f"a text of the batch is not UTF-8: {error}") from error
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if offsets else [0]
        places = np.asarray(places, np.int64)
        for row in np.flatnonzero(np.diff(places) > MAX_BYTES):
            size = places[row + 1] - places[row]
            raise ValueError(f"text {row} of the batch has {size:,} bytes; the most is {MAX_BYTES:,}: split it")
        nothing = (None,) * len(array)
        return cls(np.frombuffer(data or b"", np.uint8), places, languages or nothing, urls or nothing)

    def __post_init__(self) -> None:
        # A kernel compiled for arrays that can be written is another kernel.
        self.data.setflags(write=False)
        self.offsets.setflags(write=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def words(self) -> Words:
        return find_words(self.data, self.offsets)

    @cached_property
    def lines(self) -> Lines:
        return find_lines(self.data, self.offsets)

    def rewritten(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Self:
        """The same documents with other texts, which must be valid UTF-8."""
        return replace(self, data=data, offsets=offsets)

    def to_arrow(self) -> pa.LargeStringArray:
        """The texts, sharing their bytes."""
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)

    def to_list(self) -> list[str]:
        strings: list[str] = self.to_arrow().to_pylist()
        return strings

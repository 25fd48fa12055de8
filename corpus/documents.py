"""The one record every step hands to the next: a document, as a row of an Arrow table.

A document's `id` is `shard << 32 | row`: the shard is the input file's position in the recipe, the row its position
in that file. It does not depend on how many workers there were, so neither does anything ordered by it.
"""

import pyarrow as pa

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.uint64(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("date", pa.timestamp("s", tz="UTC")),
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float32()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)


def document_id(shard: int, row: int) -> int:
    """`shard << 32 | row`; both fit in 32 bits."""
    assert max(shard, row) < 1 << 32, (shard, row)
    return shard << 32 | row

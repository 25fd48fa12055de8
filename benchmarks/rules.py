"""The rules: every signal of Gopher quality and repetition, C4 and FineWeb, against datatrove's four filters."""

from collections.abc import Callable, Sequence

from datatrove.utils.word_tokenizers import WordTokenizer

from benchmarks import peers
from benchmarks.inputs import Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import interleave
from filters import rules
from kernels.texts import Texts

FAMILIES = ("gopher_repetition", "gopher_quality", "c4", "fineweb")
# Long enough for spaCy's vocabulary to fill up.
WARM_UP = 20
# Ours takes some hundredths of a second, in which anything can happen: so many times over the same texts.
PASSES = 20
# The size that the figure is given for.
DOCUMENT = 7000

OURS = "crawlmill, all signals"


def run(inputs: Inputs) -> list[Table]:
    texts = inputs.english
    families = rules.resolve(FAMILIES)

    def crawlmill(some: Sequence[str]) -> int:
        for _ in range(PASSES):
            signals, _ = rules.measure(Texts.of(some), families)
            kept = int((rules.judge(families, signals, len(some)).first < 0).sum())
        return kept

    def datatrove(words: str | WordTokenizer, stop: bool) -> Callable[[Sequence[str]], int]:
        filters = peers.quality_filters(words)
        return lambda some: sum(peers.passes(filters, text, stop) for text in some)

    sides = {
        OURS: crawlmill,
        "datatrove, its spaCy words": datatrove(peers.SPACY, stop=True),
        "datatrove, its spaCy words, nothing skipped": datatrove(peers.SPACY, stop=False),
        "datatrove, words by str.split": datatrove(peers.WhiteSpace(), stop=True),
        "datatrove, words by str.split, nothing skipped": datatrove(peers.WhiteSpace(), stop=False),
    }
    rounds = interleave(sides, texts, inputs.repeats, texts[:WARM_UP])
    size = sum(len(text.encode()) for text in texts) / len(texts)
    counted, timed = dict.fromkeys(("documents", "kept"), ",d"), dict.fromkeys(("µs a document", "µs per 7 kB"), ",.0f")
    columns = {**counted, **timed, "ratio": ",.1f", **SPREAD}
    seconds = {name: side.median / len(texts) / (PASSES if name == OURS else 1) for name, side in rounds.items()}
    rows = {
        name: {
            "documents": len(texts),
            "kept": side.results[-1],
            "µs a document": seconds[name] * 1e6,
            "µs per 7 kB": seconds[name] * 1e6 * DOCUMENT / size,
            "ratio": seconds[name] / seconds[OURS],
            "slowest/fastest": side.spread,
        }
        for name, side in rounds.items()
    }
    note = (
        f"English texts of {size / 1000:.1f} kB on average, in memory. crawlmill measures every signal of every "
        "document; datatrove's pipeline ends a document's way at the first filter that drops it, and with nothing "
        "skipped every filter sees every document. Sentences, and so what is kept, differ with the splitter."
    )
    return [Table("Rules: Gopher repetition and quality, C4, FineWeb", note, columns, rows)]

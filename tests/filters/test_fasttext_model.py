import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import fasttext
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import language
from filters.fasttext_model import OtherModelError, read_model
from kernels.language_id import predict
from kernels.texts import Texts
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

WORDS = "river bridge mill Fluss Brücke Mühle rivière pont moulin река мост мельница 川 橋 水車".split()
STRANGE = ["</s>", "__label__x",
           "__label__1", "<", ">", "\0", "\x1c", "\x85", "\u2003", "\u3000", "\u1680", "é", "\U0001f600"]  # fmt: skip
TEXTS = [
    *("", " ", "\0", "one word", "a</s>b", "river </s> pont", "</s>", "_", "__label_"),
    *("__label__1 pont", "__label__9 pont"),
    "river\u3000bridge\x1cmill\x85pont\xa0мост\u2028川",
    "unknown wörds аnd \U0001f600\U0001f601",
]

TRAIN = """
import fasttext, json, sys
lines, path, options, quantise = json.loads(sys.argv[1])
for attempt in range(20):
    try:
        model = fasttext.train_supervised(lines, **options)
        break
    except RuntimeError:
        pass
if quantise is not None:
    model.quantize(lines, **quantise)
model.save_model(path)
"""


def by_package(model: object, texts: Sequence[str]) -> tuple[list[str], list[float]]:
    labels, scores = model.predict([" ".join(text.split()) for text in texts], k=1)  # type: ignore[attr-defined]
    return [label[0] if label else "" for label in labels], [float(score[0]) if len(score) else 0.0 for score in scores]


def assert_the_same(path: str, model: object, texts: Sequence[str]) -> None:
    ours = read_model(path)
    numbers, probabilities = predict(Texts.of(texts), ours.tables)
    labels, scores = by_package(model, texts)
    assert [ours.labels[number] if number >= 0 else "" for number in numbers] == labels
    np.testing.assert_allclose(probabilities, scores, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def shipped() -> tuple[str, object]:
    path = language._shipped()
    return path, fasttext.load_model(path)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, object]]:
    """Trains on lines of random words, each label with words that are more often its own."""

    def make(labels: int, quantise: dict[str, object] | None = None, **options: object) -> tuple[str, object]:
        folder = tmp_path_factory.mktemp("model")
        random = np.random.default_rng(0)
        own = [[*random.choice(WORDS, 2), f"w{label}", f"ж{label}"] for label in range(labels)]
        # Some labels are rarer than others, so that the tree of them is no balanced one.
        rows = [label for label in range(labels) for _ in range(4 + 40 // (label + 1))]
        lines = [f"__label__{row} {' '.join(random.choice(own[row] + WORDS[:3], 6))}" for row in rows]
        (folder / "lines.txt").write_text("\n".join(lines) + "\n")
        path = folder / "model.bin"
        chosen = {"dim": 16, "bucket": 2000, "minCount": 1, "epoch": 10, "lr": 0.1, "thread": 1, "verbose": 0}
        asked = json.dumps([str(folder / "lines.txt"), str(path), chosen | options, quantise])
        # Training reads memory it has not written, and often ends in NaN; here what is allocated is all zero (glibc).
        subprocess.run([sys.executable, "-c", TRAIN, asked], env=os.environ | {"MALLOC_PERTURB_": "255"}, check=True)
        return str(path), fasttext.load_model(str(path))

    return make


QUANTISED = [None, {}, {"qnorm": True, "dsub": 3}, {"cutoff": 300, "qnorm": True}]


@pytest.mark.parametrize("loss", ["softmax", "hs"])
@pytest.mark.parametrize("quantise", QUANTISED)
def test_models_of_every_kind_predict_as_the_package_does(
    train: Callable[..., tuple[str, object]], loss: str, quantise: dict[str, object] | None
) -> None:
    path, model = train(7, quantise, loss=loss, minn=2, maxn=4)
    assert_the_same(path, model, [*TEXTS, *WORDS, *(f"w{n} {WORDS[n]} ж{n}" for n in range(12))])


@pytest.mark.parametrize(
    "options",
    [
        {"maxn": 0},
        {"minn": 1, "maxn": 1},
        {"minn": 0, "maxn": 6},
        {"minCount": 1000, "minn": 3, "maxn": 3},
        {"dim": 32},
    ],
)
def test_settings_of_words_and_ngrams(train: Callable[..., tuple[str, object]], options: dict[str, object]) -> None:
    path, model = train(5, **options)
    assert_the_same(path, model, [*TEXTS, *WORDS, "w1 w2", "w4 ж4"])


@pytest.mark.parametrize("loss", ["softmax", "hs"])
def test_quantised_labels_and_only_one_label(train: Callable[..., tuple[str, object]], loss: str) -> None:
    path, model = train(300, {"qout": True, "cutoff": 400}, loss=loss, maxn=3, minn=2, epoch=5)
    assert_the_same(path, model, [*TEXTS, *WORDS, *(f"w{n} ж{n}" for n in range(300))])
    path, model = train(1, loss=loss)
    assert_the_same(path, model, TEXTS)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=80) | st.lists(st.sampled_from([*STRANGE, *WORDS, " "])).map("".join), max_size=5))
def test_any_text_is_judged_as_the_package_does(shipped: tuple[str, object], texts: list[str]) -> None:
    languages, scores = language.identify(texts)
    labels, expected = by_package(shipped[1], texts)
    assert languages == [label.removeprefix("__label__") for label in labels]
    np.testing.assert_allclose(scores, np.minimum(expected, 1), rtol=0, atol=1e-4)


def test_long_words(shipped: tuple[str, object]) -> None:
    long = ["x" * 1_000_000, "ж語" * 200_000, "the " * 100_000, " " * 1_000_000, "\0" * 1000]
    assert_the_same(*shipped, [*long, "x" * 3000, *TEXTS])


def test_real_pages(shipped: tuple[str, object], shared_data: Path) -> None:
    """The first characters of the markup itself, and those of the text in it."""
    files = sorted((shared_data / "pages").glob("*.warc.gz"))[:2]
    pages = [item.body for file in files for item in read_warc(str(file)) if isinstance(item, Page)]
    texts = [text[:1000] for page in pages for text in (page, extract(page, "resiliparse"))]
    assert len(texts) > 1000
    assert_the_same(*shipped, texts)


@pytest.mark.parametrize("options", [{"wordNgrams": 2}, {"loss": "ova"}, {"loss": "ns"}])
def test_what_our_kernel_cannot_run_goes_to_the_package(
    train: Callable[..., tuple[str, object]], options: dict[str, object]
) -> None:
    path, model = train(4, **options)
    with pytest.raises(OtherModelError, match=r"model\.bin: "):
        read_model(path)
    languages, scores = language.identify(["river bridge w1", "w2\nw2"], path)
    labels, expected = by_package(model, ["river bridge w1", "w2\nw2"])
    assert [f"__label__{name}" for name in languages] == labels
    np.testing.assert_allclose(scores, np.minimum(expected, 1), atol=1e-6)
    language.check_languages(["1", "2"], path)


@pytest.mark.parametrize("quantise", [None, {"cutoff": 300, "qnorm": True}])
def test_a_file_cut_anywhere_is_refused_by_name(
    train: Callable[..., tuple[str, object]], tmp_path: Path, quantise: dict[str, object] | None
) -> None:
    whole = Path(train(5, quantise, minn=2, maxn=3)[0]).read_bytes()
    path = tmp_path / "cut.bin"
    for size in [*range(0, 400, 7), *range(400, len(whole), 1 + len(whole) // 60), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.bin is no fastText model: "):
            read_model(str(path))


def test_damage_is_refused_or_does_no_harm(train: Callable[..., tuple[str, object]], tmp_path: Path) -> None:
    whole = Path(train(5, {"cutoff": 300, "qnorm": True}, loss="hs", minn=2, maxn=3)[0]).read_bytes()
    path = tmp_path / "damaged.bin"
    random = np.random.default_rng(0)
    refused = 0
    for at in [*range(120), *random.integers(120, len(whole), 300)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            model = read_model(str(path))
        except ValueError as error:
            refused += "damaged.bin" in str(error)
        else:
            labels, _ = predict(Texts.of(TEXTS), model.tables)
            assert (labels < len(model.labels)).all()
    assert refused > 50


def test_a_model_without_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a river and a bridge\n" * 100)
    options = {"dim": 16, "bucket": 100, "epoch": 1, "minCount": 1, "verbose": 0}
    vectors = fasttext.train_unsupervised(str(tmp_path / "lines.txt"), **options)
    vectors.save_model(os.fspath(tmp_path / "vectors.bin"))
    with pytest.raises(ValueError, match=r"vectors\.bin is no fastText model: it has word vectors and no labels"):
        read_model(str(tmp_path / "vectors.bin"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.bin is no fastText model"):
        read_model(str(tmp_path / "nowhere.bin"))

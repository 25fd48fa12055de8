"""Perplexity against KenLM and SentencePiece called by hand; training on texts whose order and copies do not count."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from corpus import storage
from filters import perplexity_training
from filters.perplexity import PerplexityModel
from filters.perplexity_training import Reference, train
from kernels.texts import Texts
from tests.conftest import prose
from tests.kernels.test_ccnet_normal import twin

kenlm = pytest.importorskip("kenlm", reason="needs the extra crawlmill[perplexity]")

PROSE = prose(46)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of English, and of a made-up language xx with other texts."""
    path = tmp_path_factory.mktemp("models")
    train(Reference(PROSE[:40], PROSE[40:], ""), str(path), "en", vocabulary=1000)
    train(Reference(PROSE[20:], [], ""), str(path), "xx", order=3, vocabulary=500)
    return path


def by_hand(folder: Path, language: str, text: str) -> float:
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    model = kenlm.Model(str(folder / f"{language}.arpa"), config)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{language}.sp.model"))
    total, length = 0.0, 0
    for line in twin(text).split("\n"):
        if cut := pieces.encode(line.strip(), out_type=str):
            total += model.score(" ".join(cut))
            length += len(cut) + 1
    return float(10 ** (-total / length))


def scored(folder: Path, texts: Sequence[str], languages: Sequence[str | None]) -> list[float]:
    return PerplexityModel.load(str(folder)).score(Texts.of(texts, languages)).tolist()


def test_as_kenlm_and_sentencepiece_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PerplexityModel.load(str(folder)).languages == ["en", "xx"]
    texts = [*PROSE[38:], "One\n\n  \nword\r\n", "日本語 — Ünïcode 12,345 🦊", "a" * 3000]
    wanted = {language: [by_hand(folder, language, text) for text in texts] for language in ("en", "xx")}
    labels = ["en" if row % 3 else "xx" for row in range(len(texts))]
    expected = [wanted[label][row] for row, label in enumerate(labels)]
    assert scored(folder, texts, labels) == pytest.approx(expected, rel=1e-9)
    # However many are in pieces at a time.
    monkeypatch.setattr("filters.perplexity._CHUNK", 1500)
    assert scored(folder, texts, labels) == pytest.approx(expected, rel=1e-9)
    assert not np.allclose(wanted["en"], wanted["xx"], rtol=0.01)


def test_what_no_model_can_judge_is_nan(folder: Path) -> None:
    found = scored(folder, ["", " \n\t", "Some text.", "Some text.", "Some text."], ["en", "en", "de", None, "en"])
    assert np.isnan(found).tolist() == [True, True, True, True, False]
    assert scored(folder, [], []) == []


def test_prose_it_has_not_seen_is_likelier_than_its_words_in_disorder(folder: Path) -> None:
    held_out = PROSE[40:]
    disorder = [" ".join(sorted(text.split(), key=lambda word: word[::-1])) for text in held_out]
    links = ["Home\nLogin\nNext\nAbout us\nContact\nSitemap\nXXL\nRSS\nFAQ"] * len(held_out)
    languages = ["en"] * len(held_out)
    clean, shuffled, menu = (np.array(scored(folder, texts, languages)) for texts in (held_out, disorder, links))
    assert (1.5 * clean < shuffled).all()
    assert clean.max() < menu.min()
    figures = storage.read_json(str(folder / "model.json"))["languages"]["en"]["held_out"]
    assert figures["texts"] == 6
    assert figures["perplexity"] == pytest.approx(float(np.median(clean)), abs=0.01)
    assert figures["perplexity_shuffled"] > 1.5 * figures["perplexity"]


def test_training_does_not_depend_on_order_or_copies(tmp_path: Path) -> None:
    texts = PROSE[:30]
    for name, given in (("a", texts), ("b", [*texts[::-1], *texts[:7]])):
        train(Reference.of(given, held_out=0.2), str(tmp_path / name), "en", order=3, vocabulary=400)
    for file in ("en.sp.model", "en.arpa", "model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    found = Reference.of(texts, held_out=0.2)
    assert sorted(found.known + found.held_out) == sorted(texts)
    assert 0 < len(found.held_out) < 15
    assert Reference.of(texts[1:], held_out=0.2).sha256 != found.sha256


def test_model_json_says_what_was_trained(folder: Path) -> None:
    languages = storage.read_json(str(folder / "model.json"))["languages"]
    assert list(languages) == ["en", "xx"]
    entry = languages["en"]
    head = (folder / "en.arpa").read_text().split("\n\n")[0].splitlines()[1:]
    assert head == [f"ngram {n}={count}" for n, count in enumerate(entry["ngrams"], 1)]
    assert (entry["order"], languages["xx"]["order"]) == (5, 3)
    assert entry["texts"] == 40
    assert entry["lines"] == sum(len(text.split("\n\n")) for text in PROSE[:40])
    assert languages["xx"]["held_out"] == {"texts": 0, "perplexity": None, "perplexity_shuffled": None}


def test_pieces_are_learnt_of_a_sample_where_there_are_many_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perplexity_training, "MOST_LINES", 30)
    text = Reference([*PROSE[:30], *[f"{'ß' * 9} {n}" for n in range(9)]], [], "")
    train(text, str(tmp_path / "few"), "en", order=2, vocabulary=300)
    monkeypatch.undo()
    train(text, str(tmp_path / "all"), "en", order=2, vocabulary=300)
    few, every = ((tmp_path / name / "en.sp.model").read_bytes() for name in ("few", "all"))
    assert few != every
    counts = [storage.read_json(str(tmp_path / name / "model.json"))["languages"]["en"] for name in ("few", "all")]
    assert counts[0]["lines"] == counts[1]["lines"] > 30


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no language model, such as en.sp.model with en.arpa.bin"),
        ({"en.sp.model": None}, "has en.sp.model and neither en.arpa.bin nor en.arpa; add one"),
        ({"en.arpa": None}, "has en.arpa and no en.sp.model; add it"),
        ({"en.sp.model": b"no model", "en.arpa": None}, "en.sp.model is no SentencePiece model"),
        ({"en.sp.model": None, "en.arpa": b"\x00" * 100}, "en.arpa is no n-gram model of KenLM's and no ARPA file"),
        ({"en.sp.model": None, "en.arpa.bin": b""}, "en.arpa.bin is no n-gram model of KenLM's"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    folder: Path, tmp_path: Path, files: dict[str, bytes | None], message: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes((folder / name).read_bytes() if data is None else data)
    with pytest.raises(ValueError, match=message):
        PerplexityModel.load(str(tmp_path))


def test_a_damaged_n_gram_file_is_named_when_it_is_read(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "en.sp.model", tmp_path)
    (tmp_path / "en.arpa").write_bytes((folder / "en.arpa").read_bytes()[:5000])
    model = PerplexityModel.load(str(tmp_path))
    with pytest.raises(ValueError, match=r"en\.arpa is no n-gram model that KenLM reads"):
        model.score(Texts.of(["text"], ["en"]))


def test_a_folder_that_is_on_no_disk(folder: Path) -> None:
    for name in ("en.sp.model", "en.arpa"):
        storage.write_bytes(f"memory://models/{name}", (folder / name).read_bytes())
    found = PerplexityModel.load("memory://models").score(Texts.of(PROSE[:2], ["en", "en"]))
    assert found.tolist() == scored(folder, PROSE[:2], ["en", "en"])


def test_training_refuses_what_cannot_work(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no text in en to train on"):
        train(Reference([" "], [], ""), str(tmp_path), "en")
    with pytest.raises(ValueError, match="SentencePiece cannot make 20 pieces of this text"):
        train(Reference(PROSE[:3], [], ""), str(tmp_path), "en", vocabulary=20)
    with pytest.raises(ValueError, match=r'"\.\./en" cannot begin the name of a file'):
        train(Reference(PROSE[:3], [], ""), str(tmp_path), "../en")
    (tmp_path / "en.arpa.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"has en\.arpa\.bin, which would be read instead"):
        train(Reference(PROSE[:3], [], ""), str(tmp_path), "en")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (lambda: PerplexityModel.load(str(folder)), lambda: train(Reference([], [], ""), "x", "en")):
        with pytest.raises(ValueError, match=r"pip install \"crawlmill\[perplexity\]\""):
            call()


def test_a_blob_in_the_text_has_no_part_in_the_pieces() -> None:
    clean, dirty = (perplexity_training._pieces([*PROSE[:20], *more], 300) for more in ([], ["q" * 5000]))
    assert clean == dirty
    mixed = perplexity_training._pieces([*PROSE[:19], f"{PROSE[19]} {'q' * 5000}"], 300)
    assert mixed == clean


def test_training_that_is_stopped_leaves_no_pair_of_an_old_and_a_new_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language in "en", "fr":
        train(Reference(PROSE[:20], [], ""), str(tmp_path), language, order=2, vocabulary=300)

    def stopped(path: str, data: bytes) -> None:
        raise KeyboardInterrupt

    # When the n-grams have been written, and nothing else.
    monkeypatch.setattr(storage, "write_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(Reference(PROSE[20:40], [], ""), str(tmp_path), "en", order=2, vocabulary=300)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"has en\.arpa and no en\.sp\.model"):
        PerplexityModel.load(str(tmp_path))
    # Another language, and a second try, find nothing in their way.
    train(Reference(PROSE[:20], PROSE[20:], ""), str(tmp_path), "fr", order=2, vocabulary=300)
    train(Reference(PROSE[20:40], [], ""), str(tmp_path), "en", order=2, vocabulary=300)
    assert PerplexityModel.load(str(tmp_path)).languages == ["en", "fr"]

from pathlib import Path
from types import SimpleNamespace

import pytest

from kernels import prepare as module
from kernels.prepare import MESSAGE, prepare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels seem to be kept."""
    probe = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(module, "hashing", SimpleNamespace(table_bits=probe))
    return tmp_path


def said(*names: str) -> list[str]:
    words: list[str] = []
    done: list[str] = []
    prepare(set(names), lambda: done.append("work"), words.append)
    assert done == ["work"]
    return words


def test_it_says_so_the_first_time_and_never_again(folder: Path) -> None:
    assert said("c4", "minhash") == [MESSAGE]
    assert said("c4", "minhash") == said("minhash") == []


def test_what_was_not_compiled_yet_is_said_too(folder: Path) -> None:
    said("c4")
    assert said("c4", "fineweb") == [MESSAGE]
    assert said("fineweb") == []


def test_another_version_starts_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said("c4")
    (folder / "c4._clean.nbi").write_bytes(b"")
    said("c4")
    assert (folder / "c4._clean.nbi").exists()
    monkeypatch.setattr(module, "_version", lambda: "another")
    assert said("c4") == [MESSAGE]
    assert not (folder / "c4._clean.nbi").exists(), "it may hold what another file's kernels were"


def test_work_that_fails_is_not_noted_as_done(folder: Path) -> None:
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        prepare({"c4"}, fail, lambda _: None)
    assert said("c4") == [MESSAGE]

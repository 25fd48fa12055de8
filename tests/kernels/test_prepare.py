import fcntl
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from kernels import prepare as module
from kernels.prepare import MESSAGE, WAITING, prepare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels seem to be kept."""
    probe = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(module, "hashing", SimpleNamespace(table_bits=probe))
    return tmp_path


def said(folder: Path, *names: str) -> list[str]:
    """What is said; the work, a new file for each name, is done where it was not before."""
    words: list[str] = []
    prepare({name: (touch, (str(folder / name),)) for name in names}, words.append)
    return words


def touch(path: str) -> None:
    Path(path).touch(exist_ok=False)


def test_it_says_so_the_first_time_and_never_again(folder: Path) -> None:
    assert said(folder, "c4", "minhash") == [MESSAGE]
    assert (folder / "c4").exists()
    assert (folder / "minhash").exists()
    assert said(folder, "c4", "minhash") == said(folder, "minhash") == []


def test_what_was_not_compiled_yet_is_said_too(folder: Path) -> None:
    said(folder, "c4")
    assert said(folder, "c4", "fineweb") == [MESSAGE]
    assert said(folder, "fineweb") == []


def test_another_version_starts_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(folder, "c4")
    (folder / "c4").unlink()
    (folder / "c4._clean.nbi").write_bytes(b"")
    said(folder, "c4")
    assert (folder / "c4._clean.nbi").exists()
    monkeypatch.setattr(module, "_version", lambda: "another")
    assert said(folder, "c4") == [MESSAGE]
    assert not (folder / "c4._clean.nbi").exists(), "it may hold what another file's kernels were"


def test_work_that_fails_is_not_noted_as_done(folder: Path) -> None:
    (folder / "c4").touch()
    with pytest.raises(FileExistsError):
        said(folder, "c4")
    (folder / "c4").unlink()
    assert said(folder, "c4") == [MESSAGE]


def test_it_says_that_it_waits_for_another_process(folder: Path) -> None:
    said(folder, "c4")
    words: list[str] = []
    with open(folder / ".compiling", "a+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        # A lock goes with its open file, so that this thread's own second one would wait for ever.
        waiting = threading.Thread(target=prepare, args=({"c4": (touch, ("unused",))}, words.append))
        waiting.start()
        while not words and waiting.is_alive():
            time.sleep(0.01)
        assert words == [WAITING]
    waiting.join(10)
    assert not waiting.is_alive()

"""Files on any fsspec path (a local path, s3://, memory://, ...), written whole or not at all.

What goes in: a path and bytes, a JSON value or a function that fills a file. What stays true: nothing is ever
half-written under its final name, because every write goes to a temporary name beside it and is renamed.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

import fsspec
import numpy as np
from numpy.typing import DTypeLike, NDArray

TEMPORARY = ".tmp-"


def join(*parts: str) -> str:
    """Join path parts with "/", which every fsspec file system and every local one here understands."""
    return "/".join([parts[0].rstrip("/"), *parts[1:]])


def _file_system(path: str) -> tuple[Any, str]:
    return cast(tuple[Any, str], fsspec.core.url_to_fs(path))


def is_local(path: str) -> bool:
    return isinstance(_file_system(path)[0], fsspec.implementations.local.LocalFileSystem)


def local_path(path: str) -> str | None:
    """The path for the operating system's own calls; None where the file is not on this machine."""
    return _file_system(path)[1] if is_local(path) else None


def same_place(one: str, other: str) -> bool:
    """Whether two paths, relative or whole, are one."""
    (fs, name), (other_fs, other_name) = _file_system(one), _file_system(other)
    return type(fs) is type(other_fs) and os.path.normpath(name) == os.path.normpath(other_name)


def exists(path: str) -> bool:
    fs, name = _file_system(path)
    return bool(fs.exists(name))


def size(path: str) -> int:
    """Bytes in the file at `path`."""
    fs, name = _file_system(path)
    return int(fs.size(name))


def fingerprint(path: str) -> str:
    """What changes when the file does: its size with its modification time or entity tag.

    The bytes are not read: a crawl has terabytes, and it is asked on every run.
    """
    fs, name = _file_system(path)
    info = fs.info(name)
    if info["type"] == "directory":
        raise ValueError(f"{path} is a directory; name the files in it, for example {join(path, '*')}")
    version = info.get("mtime") or info.get("ETag") or info.get("LastModified") or info.get("created")
    return f"{info['size']}-{version}"


def glob(pattern: str) -> list[str]:
    """The files that match, sorted, with the protocol kept. A name that exists is itself, whatever letters it has."""
    fs, name = _file_system(pattern)
    names = [name] if fs.exists(name) else sorted(fs.glob(name))
    if is_local(pattern):
        return [os.path.relpath(n) if not os.path.isabs(pattern) else n for n in names]
    return [fs.unstrip_protocol(n) for n in names]


def matching(patterns: Iterable[str]) -> list[str]:
    """The files that any of the patterns matches, each once. Raises ValueError for a pattern that matches none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        names = glob(pattern)
        if not names:
            raise ValueError(f'no file matches "{pattern}" (paths are relative to where the command runs)')
        found |= dict.fromkeys(names)
    return list(found)


def open_read(path: str) -> IO[bytes]:
    fs, name = _file_system(path)
    return cast(IO[bytes], fs.open(name, "rb"))


@contextlib.contextmanager
def open_write(path: str) -> Iterator[IO[bytes]]:
    """A file to fill; it appears under `path` when the block ends without an exception, and else not at all."""
    fs, name = _file_system(path)
    fs.makedirs(name.rsplit("/", 1)[0], exist_ok=True)
    temporary = f"{name}{TEMPORARY}{os.getpid()}"
    try:
        with fs.open(temporary, "wb") as file:
            yield cast(IO[bytes], file)
            if is_local(path):
                # Without this a power cut after the rename can leave an empty file under the final name.
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            fs.rm(temporary)
        raise
    if is_local(path):
        os.replace(temporary, name)
    else:
        fs.mv(temporary, name)


def write_bytes(path: str, data: bytes) -> None:
    with open_write(path) as file:
        file.write(data)


def read_bytes(path: str) -> bytes:
    with open_read(path) as file:
        return file.read()


def write_json(path: str, value: object) -> None:
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def read_json(path: str) -> Any:
    return json.loads(read_bytes(path))


def read_array(path: str, dtype: DTypeLike) -> NDArray[Any]:
    """A raw file as a flat array: memory-mapped when the file is local, read whole when it is not."""
    if is_local(path):
        name = _file_system(path)[1]
        # An empty file cannot be mapped.
        return np.memmap(name, dtype=dtype, mode="r") if os.path.getsize(name) else np.empty(0, dtype)
    return np.frombuffer(read_bytes(path), dtype)


def list_folder(path: str) -> dict[str, int]:
    """The files in a folder, by name, with their sizes; empty when there is no such folder."""
    fs, name = _file_system(path)
    if not fs.exists(name):
        return {}
    infos = [i for i in fs.ls(name, detail=True) if i["type"] == "file" and TEMPORARY not in i["name"]]
    return {i["name"].rsplit("/", 1)[1]: int(i["size"]) for i in sorted(infos, key=lambda i: str(i["name"]))}


def remove_temporary(path: str) -> None:
    """Remove what killed writers left in a folder."""
    fs, name = _file_system(path)
    for info in fs.ls(name, detail=True) if fs.exists(name) else ():
        if TEMPORARY in info["name"]:
            fs.rm(info["name"], recursive=True)


def remove(path: str) -> None:
    """Remove a file that is there."""
    fs, name = _file_system(path)
    fs.rm(name)


def remove_tree(path: str) -> None:
    """Remove a folder and what is in it; a folder that is not there is no error."""
    fs, name = _file_system(path)
    if fs.exists(name):
        fs.rm(name, recursive=True)


@contextlib.contextmanager
def scratch(path: str) -> Iterator[str]:
    """A local folder for temporary files, beside what is written where that is local: it may need as much room."""
    local = local_path(path)
    if local:
        os.makedirs(local, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=local) as folder:
        yield folder

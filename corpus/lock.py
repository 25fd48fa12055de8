"""A folder that one process writes in at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from corpus import storage
from corpus.strict import RecipeError


@contextlib.contextmanager
def alone_in(folder: str) -> Iterator[None]:
    """Two runs in one folder would clear away each other's unfinished files, so the second is refused (`RecipeError`).

    The system lets go of the lock however a run ends. A remote store has none: there it is up to the user.
    """
    path = storage.local_path(storage.join(folder, ".lock"))
    if path is None:
        yield
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecipeError(
                f"another run is at work in {folder}; wait for it, or give another folder by --out"
            ) from error
        yield

"""How kernels are compiled: numba, once per machine and version, into files that all workers read.

A kernel is compiled for the types of its first call, by `kernel`, and loaded from the cache ever after.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile `function`: without the interpreter's lock, and kept on disk."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inner(function: Function) -> Function:
    """Compile `function` for kernels to call: Python cannot, and what it would need takes longest to compile."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(Function, numba.njit(nogil=True, error_model="numpy", **options)(function))

"""The one place that knows how kernels are compiled: numba, cached on disk, no Python object inside.

With ``NUMBA_DISABLE_JIT=1`` the same functions run as plain Python and give the same result.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, keep the machine code in numba's cache, release the GIL."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into every kernel that calls it, where a call would cost more than what it does."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, forceinline=True)(function))

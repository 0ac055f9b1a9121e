"""The one place that knows how kernels are compiled: numba, cached on disk, no Python object inside.

With ``NUMBA_DISABLE_JIT=1`` the same functions run as plain Python and give the same result.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, keep the machine code in numba's cache, release the GIL."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into every kernel that calls it, where a call would cost more than what it does."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, forceinline=True)(function))


def lent(array: Any) -> Any:
    """Return an array for use while its owner keeps it."""
    return array


@intrinsic  # type: ignore[untyped-decorator]
def _without_owner(typing: Any, array: Any) -> Any:  # noqa: ARG001 - the compiler's protocol
    """Return the same array without the counter of its users: in a short kernel, counting is most of the work."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(signature.return_type)(context, builder, arguments[0])
        struct.meminfo = cgutils.get_null_value(struct.meminfo.type)
        struct.parent = cgutils.get_null_value(struct.parent.type)
        return struct._getvalue()  # noqa: SLF001 - the compiler's protocol

    return array(array), make


@overload(lent, strict=False)  # type: ignore[untyped-decorator]
def _compiled_lent(array: Any) -> Any:  # noqa: ARG001 - its type decides
    return lambda array: _without_owner(array)  # noqa: PLW0108 - the compiler wants a function of Python


def fetch(array: Any, index: int) -> None:
    """Ask memory for an item that is needed soon, without waiting; one outside the array does no harm."""


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - the compiler's protocol
    """Return the processor's own instruction for `fetch`, as the compiler's language writes it."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        item = builder.gep(
            context.make_array(signature.args[0])(context, builder, arguments[0]).data, [arguments[1]]
        )
        pointer, number = builder.bitcast(item, cgutils.voidptr_t), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        instruction = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(instruction, [pointer, number(1), number(3), number(1)])  # to write, to keep near, data
        return context.get_dummy_value()

    return types.void(array, index), make


@overload(fetch, strict=False)  # type: ignore[untyped-decorator]
def _compiled_fetch(array: Any, index: Any) -> Any:  # noqa: ARG001 - their types decide
    return lambda array, index: _prefetch(array, index)  # noqa: PLW0108 - the compiler wants a function of Python

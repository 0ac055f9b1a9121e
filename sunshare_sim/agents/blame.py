"""Raise an error where its cause was written: in the strategy, not in the library that found it."""

import dis
from types import CodeType
from typing import NoReturn


def raise_in(function: object, error: Exception) -> NoReturn:
    """Raise `error` so that its traceback ends at the last `return` of `function`.

    A strategy returns before its quotes are checked, so no frame of it is left. As template engines do, a line of the
    same file, number and name raises in its place; a notebook then shows the user's own line last.

    Parameters
    ----------
    function : object
        What returned the wrong thing; anything but a plain Python function is not blamed.
    error : Exception
        What to raise.
    """
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        raise error
    returns = [step.positions for step in dis.get_instructions(code) if step.opname.startswith("RETURN_")]
    lines = [at.lineno for at in returns if at is not None and at.lineno]
    line = lines[-1] if lines else code.co_firstlineno
    # Newlines move `raise` to the wanted line
    stand_in = compile("\n" * (line - 1) + "raise error", code.co_filename, "exec")
    exec(stand_in.replace(co_name=code.co_name), {"error": error})  # noqa: S102 - our own two words
    raise error  # never reached; the line above raises

"""What registries of plug-ins share: classes by name, built in, defined in a notebook or from another package.

A registry is a dict its owner keeps; the owner also says how an entry point is loaded and which error is raised.
"""

from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TypeVar

from sunshare_sim.errors import SunShareError, describe, did_you_mean

T = TypeVar("T")


def enter(
    registry: dict[str, type[T]], name: str, cls: type[T], *, where: str, error: type[SunShareError]
) -> None:
    """Enter a class under a name, or raise `error` when another class already has it."""
    known = registry.get(name, cls)
    # A notebook cell that is run again defines its class again: same name, same home, newer text.
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        expected = f"a name other than that of {known.__module__}.{known.__qualname__}"
        raise error(describe("name already taken", where=where, got=cls.__qualname__, expected=expected))
    registry[name] = cls


def gather(
    registry: dict[str, type[T]],
    modules: Iterable[str],
    entries: Iterable[EntryPoint],
    load: Callable[[EntryPoint], type[T]],
) -> dict[str, type[T]]:
    """Return all classes, sorted by name.

    The built-in `modules` enter theirs when they are imported; of what other packages offer, the `entries`, only those
    with a new name are loaded.
    """
    for module in modules:
        import_module(module)
    for entry in entries:
        if entry.name not in registry:
            registry[entry.name] = load(entry)
    return dict(sorted(registry.items()))


def require_known(
    name: str, valid: Collection[str], *, what: str, where: str, error: type[SunShareError]
) -> None:
    """Raise `error` when a name is none of the valid ones; its message says them all and the nearest."""
    if name not in valid:
        expected = "one of " + (", ".join(valid) or "none at all")
        hint = did_you_mean(name, valid)
        raise error(describe(f"unknown {what}", where=where, got=name, expected=expected, hint=hint))

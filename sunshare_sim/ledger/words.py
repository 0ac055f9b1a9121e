"""The world a contract lives in: 256-bit words, storage that forgets what a failed call did, reverts, events.

Modelled on the EVM (Wood, Ethereum: a secure decentralised generalised transaction ledger, 2014 ff.) and on Solidity's
checked arithmetic, so that the twins in `erc20` and `contract` read line by line like their Solidity sources.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from sunshare_sim.errors import LedgerError, describe

LARGEST_WORD: Final = 2**256 - 1
ARITHMETIC: Final = 0x11  # Solidity's panic code for overflow and underflow

P = ParamSpec("P")
R = TypeVar("R")


class Reverted(LedgerError):  # noqa: N818 -- what the contract's world calls it
    """Report a call that the contract reverts, and which therefore changed nothing.

    Attributes
    ----------
    reason : str
        The contract's own text, or the name of its error; ``Panic`` for an overflow.
    arguments : tuple
        What the error carries.
    """

    def __init__(
        self,
        reason: str,
        *arguments: object,
        where: str = "",
        got: object = None,
        expected: object = None,
    ) -> None:
        shown = f"{reason}({', '.join(map(str, arguments))})" if arguments else reason
        super().__init__(describe(shown, where=where, got=got, expected=expected))
        self.reason = reason
        self.arguments = arguments


class Event(NamedTuple):
    """Tell of something a contract did: who emitted it, its name, its arguments in the order of the source."""

    contract: str
    name: str
    arguments: tuple[object, ...]


class Storage:
    """Hold words under keys, all zero at first, and the events; undo what a failed call did.

    >>> storage = Storage()
    >>> storage["x"] = 5
    >>> storage.keep()
    >>> storage["x"] = 6
    >>> storage.undo()
    >>> storage["x"], storage["y"]
    (5, 0)
    """

    def __init__(self) -> None:
        self.words: dict[Hashable, int] = {}
        self.events: list[Event] = []
        self._before: list[tuple[Hashable, int]] = []
        self._kept_events = 0

    def __getitem__(self, key: Hashable) -> int:
        return self.words.get(key, 0)

    def __setitem__(self, key: Hashable, value: int) -> None:
        self._before.append((key, self.words.get(key, 0)))
        self.words[key] = value

    def emit(self, contract: str, name: str, *arguments: object) -> None:
        """Add an event."""
        self.events.append(Event(contract, name, arguments))

    def keep(self) -> None:
        """End a call that succeeded."""
        self._before.clear()
        self._kept_events = len(self.events)

    def undo(self) -> None:
        """End a call that failed: put back every word and drop its events."""
        for key, value in reversed(self._before):
            self.words[key] = value
        del self.events[self._kept_events :]
        self._before.clear()

    def take_events(self) -> list[Event]:
        """Return the events since the last time, and forget them."""
        taken = self.events
        self.events = []
        self._kept_events = 0
        return taken


class Stored(Protocol):
    """Have a storage."""

    storage: Storage


S = TypeVar("S", bound=Stored)


def transaction(call: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a method a transaction: its numbers must be words, and if it fails it leaves no trace."""

    @wraps(call)
    def guarded(self: S, /, *args: P.args, **options: P.kwargs) -> R:
        for value in (*args, *options.values()):
            check_word(value, call.__name__)
        try:
            result = call(self, *args, **options)
        except BaseException:
            self.storage.undo()
            raise
        self.storage.keep()
        return result

    return guarded


def check_word(value: object, where: str) -> None:
    """Refuse a number that no contract can be called with; look into tuples too."""
    if isinstance(value, tuple):
        for part in value:
            check_word(part, where)
    elif isinstance(value, int) and not 0 <= value <= LARGEST_WORD:
        raise LedgerError(describe("not a word", where=where, got=value, expected="0..2**256 - 1"))


def add(left: int, right: int) -> int:
    """Return the sum, or panic when it is no word."""
    return _word(left + right)


def times(left: int, right: int) -> int:
    """Return the product, or panic when it is no word."""
    return _word(left * right)


def _word(value: int) -> int:
    if value > LARGEST_WORD:
        raise Reverted("Panic", ARITHMETIC)
    return value

"""Names of variants that nobody named: readable, unique on every file system, the same every time."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

LONGEST: Final = 80
BASE: Final = "base"
ALLOWED: Final = re.compile(r"[^A-Za-z0-9._=+-]+")


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each dotted key that no other key ends with.

    >>> short_keys(["market.tick", "households.groups[0].solar.share", "households.groups[0].battery.share"])
    {'market.tick': 'tick', 'households.groups[0].solar.share': 'solar.share', \
'households.groups[0].battery.share': 'battery.share'}
    """
    parts = {key: key.split(".") for key in keys}
    return {key: _shortest(key, parts) for key in parts}


def _shortest(key: str, parts: Mapping[str, list[str]]) -> str:
    own = parts[key]
    for size in range(1, len(own)):
        end = own[-size:]
        if all(other[-size:] != end for name, other in parts.items() if name != key):
            return ".".join(end)
    return key


def value_text(value: Any) -> str:
    """Return a value as part of a name.

    >>> value_text(0.1 + 0.2), value_text(True), value_text([1, 2]), value_text("a b")
    ('0.3', 'true', '1+2', 'a-b')
    """
    if isinstance(value, bool) or value is None:
        text = "null" if value is None else str(value).lower()
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, Mapping):
        text = "+".join(f"{key}={value_text(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = "+".join(value_text(item) for item in value)
    else:
        text = str(value)
    return ALLOWED.sub("-", text).strip("-.") or "none"


def combination_name(changes: Mapping[str, Any], shorts: Mapping[str, str]) -> str:
    """Return the name of a point of a grid.

    >>> combination_name({"market.tick": 0.01, "tariff.vat": 0}, {"market.tick": "tick", "tariff.vat": "vat"})
    'tick=0.01,vat=0'
    """
    pairs = (f"{ALLOWED.sub('-', shorts[key])}={value_text(value)}" for key, value in changes.items())
    return ",".join(pairs)[:LONGEST].rstrip("-.,")


def made_unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return the names, a number added to those that occurred before (or differ in case only: some disks cannot).

    >>> made_unique(["a", "A", "b", "a"])
    ['a', 'A-2', 'b', 'a-3']
    """
    seen = {name.casefold() for name in taken}
    found = []
    for name in names:
        unique, number = name, 2
        while unique.casefold() in seen:
            unique, number = f"{name}-{number}", number + 1
        seen.add(unique.casefold())
        found.append(unique)
    return found

"""Units, signs and the one crossing from physics (float) to trade and money (integer).

Energy that is metered, traded or minted is counted in 1e-6 kWh, money in 1e-6 of the currency, both int64:
the six decimals of the token and of the settlement contract. Prices inside the market are ticks; a tick is a
whole number of 1e-6 currency/kWh. Power is positive into the home: net > 0 is a deficit (the home buys), net < 0 a
surplus (it sells). `BID` is +1 and `ASK` is -1, so `side == sign(net)`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import ScenarioError, describe

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MICRO: Final = 1_000_000  # units in one kWh, and in one unit of the currency
BID: Final = 1
ASK: Final = -1


def to_micro(value: npt.ArrayLike) -> IntArray:
    """Round kWh or currency to whole 1e-6 units, half to even: the only rounding of physics into integers.

    >>> to_micro([0.25, -1e-6]).tolist()
    [250000, -1]
    """
    return np.rint(np.asarray(value, dtype=np.float64) * MICRO).astype(np.int64)


def from_micro(value: npt.ArrayLike) -> FloatArray:
    """Return integer 1e-6 units as float kWh or currency, for tables and figures."""
    return np.asarray(value, dtype=np.int64) / MICRO


def tick_in_micro(tick: float) -> int:
    """Return the tick [currency/kWh] in whole 1e-6 currency/kWh.

    Raises
    ------
    ScenarioError
        When the tick is not a positive multiple of 1e-6 currency/kWh, so that money would not be exact.
    """
    micro = round(tick * MICRO)
    if micro < 1 or abs(tick * MICRO - micro) > 1e-6:
        raise ScenarioError(
            describe(
                "not a price tick",
                where="market.tick",
                got=tick,
                expected="a positive multiple of 0.000001 currency/kWh",
            )
        )
    return micro


def limit_ticks(price: npt.ArrayLike, side: npt.ArrayLike, tick: float) -> IntArray:
    """Convert wished prices [currency/kWh] to limit prices [ticks], never beyond the wish.

    A bid rounds down and an ask rounds up; a price within 1e-9 of a tick is that tick, so that 0.07 is 700 ticks
    of 0.0001 although 0.07 / 0.0001 is 700.0000000000001.

    >>> limit_ticks([0.30006, 0.08001], [BID, ASK], 0.0001).tolist()
    [3000, 801]
    """
    ratio = np.asarray(price, dtype=np.float64) / tick
    slack = 1e-9 * np.maximum(1.0, np.abs(ratio))
    down, up = np.floor(ratio + slack), np.ceil(ratio - slack)
    return np.where(np.asarray(side) == BID, down, up).astype(np.int64)

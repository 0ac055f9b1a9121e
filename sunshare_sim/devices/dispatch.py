"""What a battery is told to do: rules that turn prices, forecasts and its home's net into a wish for each slot.

A wish is AC energy, > 0 to charge and < 0 to discharge; `battery.follow` carries it out as far as power and energy
allow, so that no policy can break a battery. `schedule` is the optimum: on a forecast the day-ahead plan, on the truth
the yardstick.
"""

from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.devices.battery import Batteries, follow
from sunshare_sim.errors import InputError, describe
from sunshare_sim.units import FloatArray

__all__ = [
    "Horizon",
    "Schedule",
    "cost_of",
    "follow",
    "foresight_gap",
    "market_aware_wish",
    "minimum_soc_wish",
    "planned_wish",
    "price_threshold_wish",
    "schedule",
    "value_later",
]


def minimum_soc_wish(
    net_kwh: FloatArray, batteries: Batteries, soc_kwh: FloatArray, reserve: FloatArray | float
) -> FloatArray:
    """Return the wish of self-consumption that keeps a reserve for an outage, shape [homes].

    Below the reserve a battery only takes in surplus.

    Parameters
    ----------
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) before the battery [kWh], shape [homes].
    batteries : Batteries
        The batteries.
    soc_kwh : FloatArray
        Energy in each battery [kWh], shape [homes].
    reserve : FloatArray or float
        Share of the capacity that is kept.
    """
    above = np.maximum(soc_kwh - reserve * batteries.capacity_kwh, 0.0) * batteries.discharge_efficiency
    return np.where(net_kwh > 0, -np.minimum(net_kwh, above), -net_kwh)


def price_threshold_wish(
    net_kwh: FloatArray, batteries: Batteries, price: float, thresholds: tuple[float, float], hours: float
) -> FloatArray:
    """Return the wish to fill from the grid at or below a price and to serve the home at or above another.

    Between the two, surplus is stored and nothing is given. A battery serves its own home only.

    Parameters
    ----------
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) before the battery [kWh], shape [homes].
    batteries : Batteries
        The batteries.
    price : float
        Retail price of the slot [currency/kWh].
    thresholds : tuple of float
        Price at or below which it charges, and at or above which it discharges [currency/kWh].
    hours : float
        Length of the slot [h].
    """
    low, high = thresholds
    if price <= low:
        return batteries.power_kw * hours
    return np.where(net_kwh < 0, -net_kwh, -net_kwh if price >= high else 0.0)


def market_aware_wish(
    net_kwh: FloatArray,
    batteries: Batteries,
    prices: tuple[FloatArray, FloatArray, FloatArray],
    wear_per_kwh: float,
    hours: float,
) -> FloatArray:
    """Return the wish of a home that looks at what energy is worth now and later, and what its battery wears, [homes].

    Later value is what a stored kWh is expected to save or earn. Surplus is stored if that, less losses and wear, beats
    selling now; energy is bought to store if it beats even the buying price; a deficit is served from the battery if
    buying costs no less than keeping is worth; and it gives at full power if selling now beats keeping.

    Parameters
    ----------
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) before the battery [kWh], shape [homes].
    batteries : Batteries
        The batteries.
    prices : tuple of FloatArray
        Price at which each home buys now, sells now, and expects a stored kWh to be worth when it comes out
        [currency/kWh], shape [homes].
    wear_per_kwh : float
        Wear of a kWh in or out (`ageing.wear_price`) [currency/kWh].
    hours : float
        Length of the slot [h].
    """
    buy, sell, later = prices
    power = batteries.power_kw * hours
    inward, outward = batteries.charge_efficiency, batteries.discharge_efficiency
    # of one AC kWh taken in, inward * outward come out later, and both ways wear
    worth_in = inward * outward * (later - wear_per_kwh) - wear_per_kwh
    keeping = later
    wish = np.zeros(net_kwh.size)
    surplus, deficit = np.maximum(-net_kwh, 0.0), np.maximum(net_kwh, 0.0)
    wish = np.where(worth_in > sell, np.minimum(surplus, power), wish)
    wish = np.where(worth_in > buy, power, wish)
    gives = (buy >= keeping) & (wish <= 0)
    wish = np.where(gives, -np.minimum(deficit, power), wish)
    return np.where((sell > keeping) & (wish <= 0), -power, wish)


def value_later(expected_buy: FloatArray, slots: int) -> float:
    """Return what a stored kWh is expected to be worth: the price of the last of the `slots` dearest slots ahead.

    A battery that empties in that many slots serves these; the cheapest of them is what one kWh more will save.

    Parameters
    ----------
    expected_buy : FloatArray
        Price at which homes expect to buy in each slot ahead [currency/kWh], shape [slots ahead].
    slots : int
        Slots in which a battery is emptied.
    """
    if not expected_buy.size:
        return 0.0
    rank = max(expected_buy.size - slots, 0)
    return float(np.partition(expected_buy, rank)[rank])


class Schedule(NamedTuple):
    """Hold an optimal schedule of one battery; arrays have shape [slots].

    Attributes
    ----------
    charge_kwh, discharge_kwh : FloatArray
        AC energy taken in and given [kWh].
    soc_kwh : FloatArray
        Energy in the battery at the end of each slot [kWh].
    cost : float
        Cost of the home over the horizon, wear and the value of what is left included [currency].
    """

    charge_kwh: FloatArray
    discharge_kwh: FloatArray
    soc_kwh: FloatArray
    cost: float


class Horizon(NamedTuple):
    """Hold what a schedule is made for; arrays have shape [slots].

    Attributes
    ----------
    net_kwh : FloatArray
        Deficit (> 0) or surplus (< 0) before the battery [kWh], forecast or true.
    buy, sell : FloatArray
        Price of a kWh bought and sold [currency/kWh].
    hours : float
        Length of a slot [h].
    wear_per_kwh : float
        Wear of a kWh in or out of the battery [currency/kWh].
    end_value : float
        Worth of a stored kWh at the end [currency/kWh].
    """

    net_kwh: FloatArray
    buy: FloatArray
    sell: FloatArray
    hours: float
    wear_per_kwh: float = 0.0
    end_value: float = 0.0


def schedule(horizon: Horizon, batteries: Batteries, home: int, soc_kwh: float) -> Schedule:
    """Return the cheapest schedule of one home's battery, a linear programme solved by HiGHS.

    On the true net it is the optimum with perfect foresight, and no policy does better; on a forecast it is the
    day-ahead plan. Charging and discharging in the same slot is not excluded: it only pays where the buying price is
    negative or below the selling price, and then the cost is a bound that no real battery reaches.

    Parameters
    ----------
    horizon : Horizon
        Net and prices.
    batteries : Batteries
        The batteries; `home` is the row.
    home : int
        The home.
    soc_kwh : float
        Energy in the battery at the start [kWh].

    Raises
    ------
    InputError
        When the horizon is empty or the programme has no solution.
    """
    from scipy.optimize import linprog
    from scipy.sparse import diags_array, eye_array, hstack, vstack

    slots = horizon.net_kwh.size
    if not slots:
        raise InputError(describe("an empty horizon", where="battery schedule"))
    one = eye_array(slots, format="csr")
    inward, outward = batteries.charge_efficiency[home], batteries.discharge_efficiency[home]
    step = diags_array([np.ones(slots), -np.ones(slots - 1)], offsets=[0, -1], format="csr")
    nothing = one * 0.0
    # columns: charge, discharge, import, export, state of charge
    balance = hstack([-one, one, one, -one, nothing])
    state = hstack([-inward * one, one / outward, nothing, nothing, step])
    wear = np.full(slots, horizon.wear_per_kwh)
    end = np.zeros(slots)
    end[-1] = -horizon.end_value
    power = batteries.power_kw[home] * horizon.hours
    low, high = min(batteries.min_soc_kwh[home], soc_kwh), max(batteries.max_soc_kwh[home], soc_kwh)
    upper = np.abs(horizon.net_kwh) + power  # import and export beyond this would only pass through
    found = linprog(
        np.concatenate([wear, wear, horizon.buy, -horizon.sell, end]),
        A_eq=vstack([balance, state], format="csr"),
        b_eq=np.concatenate([horizon.net_kwh, [soc_kwh], np.zeros(slots - 1)]),
        bounds=np.column_stack(
            [
                np.concatenate([np.zeros(4 * slots), np.full(slots, low)]),
                np.concatenate([np.full(2 * slots, power), upper, upper, np.full(slots, high)]),
            ]
        ),
        method="highs",
    )
    if not found.success:
        raise InputError(describe("no schedule", where=f"battery of home {home}", got=found.message))
    charge, discharge, _, _, soc = np.split(found.x, 5)
    return Schedule(charge, discharge, soc, float(found.fun))


def planned_wish(
    plan: Schedule, slot: int, net_kwh: float, window: tuple[float, float], forecast_kwh: float
) -> float:
    """Return what a plan means in a slot whose net is not the forecast one [kWh].

    Where the plan stores surplus, what surplus there is is stored; where it serves the home, the home is served; and
    where it rests because the battery is full or empty, a battery that is not does as if it were not planned. Energy
    that was planned to pass to or from the grid does so as planned.

    Parameters
    ----------
    plan : Schedule
        Made on the forecast.
    slot : int
        Slot of the plan.
    net_kwh, forecast_kwh : float
        True and forecast net before the battery [kWh].
    window : tuple of float
        Lowest and highest energy in the battery [kWh].
    """
    move = float(plan.charge_kwh[slot] - plan.discharge_kwh[slot])
    if move > NO_MOVE:
        return max(-net_kwh, 0.0) if move <= max(-forecast_kwh, 0.0) + NO_MOVE else move
    if move < -NO_MOVE:
        return -net_kwh if -move <= max(forecast_kwh, 0.0) + NO_MOVE else move
    low, high = window
    if plan.soc_kwh[slot] >= high - NO_MOVE:
        return max(-net_kwh, 0.0)
    return -net_kwh if plan.soc_kwh[slot] <= low + NO_MOVE else 0.0


NO_MOVE: Final = 1e-6  # [kWh]; below it a plan does nothing


def cost_of(horizon: Horizon, charge_kwh: FloatArray, discharge_kwh: FloatArray, end_soc_kwh: float) -> float:
    """Return what a course of charging costs the home, as `schedule` counts it [currency].

    Parameters
    ----------
    horizon : Horizon
        True net and prices.
    charge_kwh, discharge_kwh : FloatArray
        AC energy taken in and given [kWh], shape [slots].
    end_soc_kwh : float
        Energy in the battery at the end [kWh].
    """
    net = horizon.net_kwh + charge_kwh - discharge_kwh
    bill = np.maximum(net, 0) @ horizon.buy - np.maximum(-net, 0) @ horizon.sell
    wear = horizon.wear_per_kwh * (charge_kwh.sum() + discharge_kwh.sum())
    return float(bill + wear - horizon.end_value * end_soc_kwh)


def foresight_gap(cost: float, optimum: float, without: float) -> float:
    """Return the part of what a battery could save that a policy leaves: 0 is perfect, 1 is no battery, above 1 harms.

    Parameters
    ----------
    cost, optimum, without : float
        Cost under the policy, with perfect foresight, and with the battery left alone [currency].
    """
    possible = without - optimum
    return (cost - optimum) / possible if possible > 1e-9 else 0.0

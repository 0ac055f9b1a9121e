"""How much of its capacity a battery loses by time and by cycles: a report after a run, and a wear price for bids.

Two cells: Xu et al. 2018 (lithium manganese oxide, the model most studies use) and Naumann et al. 2018 / 2020 (lithium
iron phosphate, the usual home battery). Cycles are counted by rainflow (ASTM E1049-85), by the library `rainflow`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.units import FloatArray

SECONDS_OF_YEAR: Final = 365 * 86_400
KELVIN: Final = 273.15


class Cycles(NamedTuple):
    """Hold counted cycles; all arrays have shape [cycles].

    Attributes
    ----------
    depth : FloatArray
        Depth of discharge, share of the capacity.
    mean_soc : FloatArray
        Mean state of charge of the cycle.
    weight : FloatArray
        1 for a full cycle, 0.5 for a half.
    """

    depth: FloatArray
    mean_soc: FloatArray
    weight: FloatArray


class Duty(NamedTuple):
    """Hold what a battery went through.

    Attributes
    ----------
    seconds : float
        How long [s].
    mean_soc : float
        Mean state of charge over that time.
    temperature_c : float
        Mean temperature of the cell [°C].
    cycles : Cycles
        The cycles.
    c_rate : float
        Mean power over capacity while it charges or discharges [1/h].
    """

    seconds: float
    mean_soc: float
    temperature_c: float
    cycles: Cycles
    c_rate: float = 0.25


def count_cycles(soc: FloatArray) -> Cycles:
    """Count the cycles in a course of the state of charge by rainflow.

    Parameters
    ----------
    soc : FloatArray
        State of charge, 0 to 1, shape [slots].
    """
    import rainflow

    found = np.array([(depth, mean, count) for depth, mean, count, _, _ in rainflow.extract_cycles(soc)])
    found = found.reshape(-1, 3)
    found = found[found[:, 0] > 0]
    return Cycles(found[:, 0], found[:, 1], found[:, 2])


def duty_of(soc: FloatArray, slot_seconds: float, temperature_c: float = 25.0) -> Duty:
    """Return the duty of a course of the state of charge.

    Parameters
    ----------
    soc : FloatArray
        State of charge, 0 to 1, shape [slots].
    slot_seconds : float
        Length of a slot [s].
    temperature_c : float
        Mean temperature of the cell [°C].
    """
    moves = np.abs(np.diff(soc))
    active = moves > 1e-6
    c_rate = float(moves[active].mean() / (slot_seconds / 3600)) if active.any() else 0.0
    return Duty(soc.size * slot_seconds, float(soc.mean()), temperature_c, count_cycles(soc), c_rate)


def repeated(duty: Duty, times: float) -> Duty:
    """Return a duty gone through several times over."""
    return duty._replace(
        seconds=duty.seconds * times, cycles=duty.cycles._replace(weight=duty.cycles.weight * times)
    )


def xu_loss(duty: Duty) -> float:
    """Return the share of capacity lost by Xu et al. 2018, doi:10.1109/TSG.2016.2578950, lithium manganese oxide.

    Linear stress of time and cycles, and on top of it the loss while the electrolyte interphase forms. The constant
    of the depth of discharge, -0.501, is found ten times too small in one public reimplementation: a full cycle at
    25 °C and half charge must stress by 5.9e-5 (the paper's own curve).
    """
    calendar = XU_TIME_PER_SECOND * duty.seconds * _xu_soc(np.float64(duty.mean_soc))
    depth = np.maximum(duty.cycles.depth, 1e-9)
    by_depth = 1 / (XU_DEPTH[0] * depth ** XU_DEPTH[1] + XU_DEPTH[2])
    cycling = np.sum(duty.cycles.weight * by_depth * _xu_soc(duty.cycles.mean_soc))
    stress = float((calendar + cycling) * xu_temperature(duty.temperature_c))
    return float(1 - XU_FILM_SHARE * np.exp(-XU_FILM_RATE * stress) - (1 - XU_FILM_SHARE) * np.exp(-stress))


XU_DEPTH: Final = (1.40e5, -0.501, -1.23e5)
XU_SOC: Final = (1.04, 0.5)  # stress and reference
XU_TEMPERATURE: Final = (0.0693, 25.0)  # stress and reference [°C]
XU_TIME_PER_SECOND: Final = 4.14e-10
XU_FILM_SHARE: Final = 0.0575
XU_FILM_RATE: Final = 121.0


def xu_temperature(temperature_c: float) -> float:
    """Return Xu's stress of temperature, 1 at 25 °C."""
    factor, reference = XU_TEMPERATURE
    kelvin, base = temperature_c + KELVIN, reference + KELVIN
    return float(np.exp(factor * (kelvin - base) * base / kelvin))


def _xu_soc(soc: FloatArray | np.float64) -> FloatArray:
    factor, reference = XU_SOC
    return np.asarray(np.exp(factor * (np.asarray(soc) - reference)))


NAUMANN_CALENDAR: Final = (
    1.2571e-5,
    17_126.0,
    2.8575,
    0.60225,
)  # per root second, J/mol, shape of the state of charge
NAUMANN_CYCLE: Final = (
    0.0630,
    0.0971,
    4.0253,
    1.0923,
)  # C-rate slope and level, shape of the depth [% per root cycle]
GAS_CONSTANT: Final = 8.314_459_8


def naumann_loss(duty: Duty) -> float:
    """Return the share of capacity lost by Naumann et al., lithium iron phosphate and graphite.

    Calendar: 2018, doi:10.1016/j.est.2018.01.019, with the root of time, Arrhenius' temperature and a cubic of the
    state of charge. Cycles: 2020, doi:10.1016/j.jpowsour.2019.227666, with the root of equivalent full cycles, the
    C-rate and a cubic of the depth. Both add up, as in the second paper; the depth is the mean over the energy cycled.
    """
    k, energy, c, d = NAUMANN_CALENDAR
    kelvin, base = duty.temperature_c + KELVIN, 25.0 + KELVIN
    arrhenius = np.exp(-energy / GAS_CONSTANT * (1 / kelvin - 1 / base))
    calendar = k * arrhenius * (c * (duty.mean_soc - 0.5) ** 3 + d) * np.sqrt(duty.seconds)
    full_cycles = float(duty.cycles.weight @ duty.cycles.depth)
    if full_cycles == 0:
        return float(calendar)
    depth = float(duty.cycles.weight @ duty.cycles.depth**2) / full_cycles
    slope, level, c, d = NAUMANN_CYCLE
    cycling = (slope * duty.c_rate + level) * (c * (depth - 0.6) ** 3 + d) * np.sqrt(full_cycles) / 100
    return float(calendar + cycling)


Loss = Callable[[Duty], float]
CELLS: Final[dict[str, Loss]] = {"xu-lmo": xu_loss, "naumann-lfp": naumann_loss}


def capacity_loss(cell: str, soc: FloatArray, slot_seconds: float, *, temperature_c: float = 25.0) -> float:
    """Return the share of capacity that a course of the state of charge costs a new battery.

    Parameters
    ----------
    cell : {"xu-lmo", "naumann-lfp"}
        Model of the cell.
    soc : FloatArray
        State of charge, 0 to 1, shape [slots].
    slot_seconds : float
        Length of a slot [s].
    temperature_c : float
        Mean temperature of the cell [°C].

    Raises
    ------
    InputError
        When the cell is unknown, or the state of charge is not between 0 and 1.
    """
    if cell not in CELLS:
        raise InputError(
            describe(
                "unknown cell",
                where="battery.ageing",
                got=cell,
                expected=", ".join(CELLS),
                hint=did_you_mean(cell, CELLS),
            )
        )
    if soc.size == 0 or not (soc.min() >= -1e-9 and soc.max() <= 1 + 1e-9):
        raise InputError(describe("not a state of charge", where="battery.ageing", expected="0 to 1"))
    return CELLS[cell](duty_of(soc, slot_seconds, temperature_c))


def years_to(loss: float, cell: str, duty_of_a_year: Duty, *, longest: float = 60.0) -> float:
    """Return the years until a share of capacity is lost if every year is like this one; at most `longest`."""
    from scipy.optimize import brentq

    def beyond(years: float) -> float:
        return CELLS[cell](repeated(duty_of_a_year, years)) - loss

    return longest if beyond(longest) < 0 else float(brentq(beyond, 1e-6, longest))


def wear_price(replacement_per_kwh: float, cycle_life: float, usable_share: float = 1.0) -> float:
    """Return the price of wear for a kWh that passes the battery, in or out [currency/kWh].

    Replacement cost over the energy that the battery passes in its life, both ways: 500 per kWh and 6000 cycles are
    0.042 a kWh in or out, 0.083 a kWh discharged (the linear price most market studies use).

    Parameters
    ----------
    replacement_per_kwh : float
        Cost of a new battery [currency/kWh of capacity].
    cycle_life : float
        Full cycles until it is worn out.
    usable_share : float
        Part of the capacity that a full cycle uses.
    """
    if not (replacement_per_kwh >= 0 and cycle_life > 0 and 0 < usable_share <= 1):
        raise InputError(
            describe("impossible wear", where="battery.wear", got=(replacement_per_kwh, cycle_life))
        )
    return replacement_per_kwh / (2 * cycle_life * usable_share)

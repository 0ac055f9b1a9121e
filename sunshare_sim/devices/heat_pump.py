"""A heat pump and the house it warms, whose walls store heat: load that can move by hours within a band of comfort.

The house is one resistance and one capacity (1R1C; Bacher and Madsen 2011, doi:10.1016/j.enbuild.2011.02.005, rank it
against larger models); a slot is solved exactly, whatever its length.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.kernels import kernel
from sunshare_sim.units import FloatArray

# Staffell, Brett, Brandon and Hawkes 2012, doi:10.1039/C2EE22653G: coefficient of performance over the lift [K],
# regressions of field and test data, from 15 K of lift on.
COP: Final = {"air": (6.81, -0.121, 0.000630), "ground": (8.77, -0.150, 0.000734)}
LOWEST_LIFT_K: Final = 15.0
HIGHEST_LIFT_K: Final = 90.0  # short of where the fitted parabolas turn up again
LOWEST_COP: Final = 1.0


class Houses(NamedTuple):
    """Describe each house and its heat pump; all arrays have shape [homes].

    Attributes
    ----------
    resistance_k_per_kw : FloatArray
        Thermal resistance to outdoors [K/kW].
    capacity_kwh_per_k : FloatArray
        Heat capacity [kWh/K].
    power_kw : FloatArray
        Largest electric power of the heat pump [kW]; 0 for none.
    lowest_c, highest_c : FloatArray
        Band of comfort [°C].
    """

    resistance_k_per_kw: FloatArray
    capacity_kwh_per_k: FloatArray
    power_kw: FloatArray
    lowest_c: FloatArray
    highest_c: FloatArray


def coefficient_of_performance(
    source_c: npt.ArrayLike, supply_c: npt.ArrayLike, *, source: str = "air"
) -> FloatArray:
    """Return heat out over electricity in, by the lift from source to supply (Staffell et al. 2012).

    Parameters
    ----------
    source_c, supply_c : array_like
        Temperature of outdoor air (or ground) and of the heating water [°C].
    source : {"air", "ground"}
        What the pump takes heat from.

    Raises
    ------
    InputError
        When the source is unknown.
    """
    if source not in COP:
        raise InputError(
            describe(
                "unknown source of heat",
                where="heat_pump.source",
                got=source,
                expected=", ".join(COP),
                hint=did_you_mean(source, COP),
            )
        )
    level, slope, bend = COP[source]
    lift = np.asarray(supply_c, dtype=np.float64) - np.asarray(source_c, dtype=np.float64)
    lift = np.clip(lift, LOWEST_LIFT_K, HIGHEST_LIFT_K)
    return np.maximum(level + slope * lift + bend * lift**2, LOWEST_COP)


def supply_temperature(
    outdoor_c: npt.ArrayLike, *, design_supply_c: float = 50.0, design_outdoor_c: float = -10.0
) -> FloatArray:
    """Return the heating water's temperature on a straight heating curve, 20 °C at 20 °C outdoors [°C].

    Parameters
    ----------
    outdoor_c : array_like
        Outdoor temperature [°C].
    design_supply_c, design_outdoor_c : float
        Supply temperature on the coldest day, and that day's temperature: some 35 for floors, 50 for radiators [°C].
    """
    share = (20.0 - np.asarray(outdoor_c, dtype=np.float64)) / (20.0 - design_outdoor_c)
    return 20.0 + (design_supply_c - 20.0) * np.clip(share, 0.0, 1.0)


@kernel
def heat_houses(
    houses: Houses,
    weather: tuple[float, FloatArray, FloatArray],
    aim: FloatArray,
    temperature_c: FloatArray,
    hours: float,
    out: tuple[FloatArray, FloatArray],
) -> None:
    """Heat each house for one slot towards its aim; changes `temperature_c` in place.

    The pump runs at the power that ends the slot at the aim, as far as it has it; it never cools. An aim of 0 keeps the
    lower end of the band, 1 heats up to the upper end: flexible load raises it when energy is cheap or abundant.

    Parameters
    ----------
    houses : Houses
        Houses and pumps.
    weather : tuple
        Outdoor temperature [°C], gains of sun, people and appliances [kW] and coefficient of performance, the last two
        of shape [homes].
    aim : FloatArray
        Where in the band of comfort the slot should end, 0 to 1, shape [homes].
    temperature_c : FloatArray
        Indoor temperature [°C], shape [homes]; changed in place.
    hours : float
        Length of the slot [h].
    out : tuple of FloatArray
        Receives electric energy [kWh] and the discomfort, kelvin below the band times hours [K h], shape [homes].
    """
    outdoor, gains, cop = weather
    electric, discomfort = out
    for home in range(temperature_c.size):
        resistance = houses.resistance_k_per_kw[home]
        kept = np.exp(-hours / (resistance * houses.capacity_kwh_per_k[home]))
        low, high = houses.lowest_c[home], houses.highest_c[home]
        target = low + aim[home] * (high - low)
        start = temperature_c[home]
        settled = np.divide(target - kept * start, 1.0 - kept)
        heat = np.divide(settled - outdoor, resistance) - gains[home]
        heat = min(max(heat, 0.0), houses.power_kw[home] * cop[home])
        settled = outdoor + resistance * (heat + gains[home])
        end = settled + (start - settled) * kept
        temperature_c[home] = end
        electric[home] = np.divide(heat, cop[home]) * hours
        discomfort[home] = max(low - end, 0.0) * hours

"""What a local trade pays for the wires: charges between zones, the only thing the market knows of the grid."""

from typing import Final

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.units import ASK, IntArray, limit_ticks

RULES: Final = ("none", "flat", "zonal", "islands")
FORBIDDEN: Final = -1


def zone_charges(
    rule: str,
    transformer_of_zone: IntArray,
    *,
    tick: float,
    within_zone_per_kwh: float = 0.0,
    between_zones_per_kwh: float = 0.0,
    beyond_per_kwh: float | None = None,
) -> IntArray:
    """Compute the wheeling charge of every pair of zones [ticks], shape [buyer zone, seller zone].

    A charge that is no whole number of ticks is rounded up: the network never gets less than the price asked.
    A price of None, or a negative one, forbids the trade (entry -1).

    Parameters
    ----------
    rule : str
        ``"none"``: no charge; ``"flat"``: `between_zones_per_kwh` on every trade (a postage stamp); ``"zonal"``: by
        distance, within a zone, between zones of one transformer, or beyond it; ``"islands"``:
        `within_zone_per_kwh` within a zone, no trade between zones.
    transformer_of_zone : IntArray
        Transformer that feeds each zone, shape [zones]; negative for a zone with several, whose trades with any other
        zone count as beyond.
    tick : float
        Smallest price step [currency/kWh].
    within_zone_per_kwh, between_zones_per_kwh, beyond_per_kwh : float or None
        Charges [currency/kWh].

    Raises
    ------
    InputError
        When the rule is unknown.
    """
    zones = transformer_of_zone.size
    if rule == "none":
        return np.zeros((zones, zones), dtype=np.int64)
    if rule == "flat":
        return np.full((zones, zones), _ticks(between_zones_per_kwh, tick), dtype=np.int64)
    if rule not in RULES:
        raise InputError(
            describe(
                "unknown rule of wheeling charges",
                where="network.charges.rule",
                got=rule,
                expected=", ".join(RULES),
                hint=did_you_mean(rule, RULES),
            )
        )
    same_transformer = (transformer_of_zone[:, None] == transformer_of_zone) & (transformer_of_zone >= 0)
    between, beyond = (between_zones_per_kwh, beyond_per_kwh) if rule == "zonal" else (None, None)
    charges = np.where(same_transformer, _ticks(between, tick), _ticks(beyond, tick))
    np.fill_diagonal(charges, _ticks(within_zone_per_kwh, tick))
    return charges.astype(np.int64)


def _ticks(price_per_kwh: float | None, tick: float) -> int:
    if price_per_kwh is None or price_per_kwh < 0:
        return FORBIDDEN
    return int(limit_ticks(price_per_kwh, ASK, tick))

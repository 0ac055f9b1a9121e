"""What a local trade pays for the wires: charges between zones, the only thing the market knows of the grid."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import InputError, describe, did_you_mean
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.feeder.limits import shared_path_pu
from sunshare_sim.feeder.powerflow import radial_model
from sunshare_sim.units import ASK, FloatArray, IntArray, limit_ticks

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
        raise _unknown_rule(rule, RULES)
    same_transformer = (transformer_of_zone[:, None] == transformer_of_zone) & (transformer_of_zone >= 0)
    between, beyond = (between_zones_per_kwh, beyond_per_kwh) if rule == "zonal" else (None, None)
    charges = np.where(same_transformer, _ticks(between, tick), _ticks(beyond, tick))
    np.fill_diagonal(charges, _ticks(within_zone_per_kwh, tick))
    return charges.astype(np.int64)


def _ticks(price_per_kwh: float | None, tick: float) -> int:
    if price_per_kwh is None or price_per_kwh < 0:
        return FORBIDDEN
    return int(limit_ticks(price_per_kwh, ASK, tick))


def price_substations(charges: IntArray, feeder: Feeder, per_kwh: float, tick: float) -> IntArray:
    """Return zonal charges with a price of their own between two transformers of one substation [ticks].

    A substation is the root of a network in which several transformers hang on lines of a higher voltage.

    Parameters
    ----------
    charges : IntArray
        Charges by `zone_charges`, shape [zones, zones].
    feeder : Feeder
        The feeder.
    per_kwh : float
        The price [currency/kWh].
    tick : float
        Smallest price step [currency/kWh].
    """
    _, first = np.unique(feeder.zone_of_bus, return_index=True)
    root = radial_model(feeder).root_of_bus[first]
    station = feeder.transformer_of_zone
    apart = (station[:, None] != station) & (root[:, None] == root)
    return np.where(apart, _ticks(per_kwh, tick), charges)


class CommunityRule(NamedTuple):
    """Hold a country's rule for what shared energy pays of the grid's charges.

    Attributes
    ----------
    local_share, regional_share : float
        Part of the network's energy charge that is still paid within one transformer, and within one part of the grid
        above it.
    levies_waived : bool
        Whether levies on the energy are not paid either, locally and regionally.
    source : str
        Where the rule is written.
    """

    local_share: float
    regional_share: float
    levies_waived: bool
    source: str


COMMUNITY_RULES: Final[Mapping[str, CommunityRule]] = {
    # -57 % within one transformer's area, -28 % on network levels 6 and 7; neither electricity levy nor renewables
    # contribution
    "at-2026": CommunityRule(
        0.43, 0.72, levies_waived=True, source="SNE-V 2018, s. 5 (1a), until end of 2026"
    ),
    "none": CommunityRule(1.0, 1.0, levies_waived=False, source="every kWh pays what a delivered one pays"),
}


def community_charges(
    rule: str | CommunityRule,
    feeder: Feeder,
    *,
    tick: float,
    network_per_kwh: float,
    levies_per_kwh: float = 0.0,
) -> IntArray:
    """Compute what a shared kWh pays to network and state under a community's rule [ticks], shape [zones, zones].

    Local is a trade within one transformer's area; regional one between transformers, all of which are taken to hang
    on one grid above (as feeders side by side do). Rounded up to ticks.

    Parameters
    ----------
    rule : str or CommunityRule
        A key of `COMMUNITY_RULES`, such as "at-2026", or a rule of one's own.
    feeder : Feeder
        The feeder.
    tick : float
        Smallest price step [currency/kWh].
    network_per_kwh, levies_per_kwh : float
        What a kWh from the grid pays to the network by energy, and in levies [currency/kWh].

    Raises
    ------
    InputError
        When the rule is unknown.
    """
    if isinstance(rule, str):
        if rule not in COMMUNITY_RULES:
            raise _unknown_rule(rule, tuple(COMMUNITY_RULES))
        rule = COMMUNITY_RULES[rule]
    levies = 0.0 if rule.levies_waived else levies_per_kwh
    local, regional = (network_per_kwh * share + levies for share in (rule.local_share, rule.regional_share))
    return zone_charges(
        "zonal",
        feeder.transformer_of_zone,
        tick=tick,
        within_zone_per_kwh=local,
        between_zones_per_kwh=local,
        beyond_per_kwh=regional,
    )


def path_ohm(feeder: Feeder) -> FloatArray:
    """Return the resistance between any two buses [ohm at the lowest voltage], shape [buses, buses].

    In a radial feeder a trade loads the symmetric difference of two root paths, so the distance is exact; two feeders
    side by side meet above their roots. Zero for a bus with itself, symmetric, and a metric.
    """
    shared, _ = shared_path_pu(radial_model(feeder))
    own = np.diag(shared)
    distance = own[:, None] + own - 2 * shared
    return np.maximum(distance, 0.0) * float(feeder.vn_kv.min()) ** 2 * 1000


def zone_mean(feeder: Feeder, by_bus: FloatArray, buses: IntArray | None = None) -> FloatArray:
    """Return the mean over the buses of each zone of a bus-by-bus matrix, shape [zones, zones].

    Parameters
    ----------
    feeder : Feeder
        The feeder.
    by_bus : FloatArray
        Any value of two buses, shape [buses, buses].
    buses : IntArray, optional
        Buses that count, one entry a home; all low-voltage buses if not given. A zone with none of them counts all
        of its own.
    """
    weight = zone_weights(feeder, buses)
    mean: FloatArray = weight @ by_bus @ weight.T
    return mean


def zone_weights(feeder: Feeder, buses: IntArray | None = None) -> FloatArray:
    """Return the weight of each bus in the mean of each zone, shape [zones, buses]; parameters as in `zone_mean`."""
    counts = np.bincount(buses, minlength=feeder.vn_kv.size) if buses is not None else feeder.vn_kv < 1.0
    member = feeder.zone_of_bus == np.arange(len(feeder.zone_names))[:, None]
    weight = member * counts
    weight = np.where(weight.sum(axis=1, keepdims=True) > 0, weight, member).astype(np.float64)
    mean: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return mean


def zone_path_ohm(feeder: Feeder, buses: IntArray | None = None) -> FloatArray:
    """Return the mean of `path_ohm` between the homes of two zones, shape [zones, zones], without that matrix.

    What two root paths share is summed branch by branch: its resistance times the parts of both zones' homes behind it.
    """
    tree = radial_model(feeder).tree
    behind = zone_weights(feeder, buses)[:, tree.bus]
    for row in range(tree.bus.size - 1, -1, -1):
        if tree.parent[row] >= 0:
            behind[:, tree.parent[row]] += behind[:, row]
    shared = (behind * tree.r_pu) @ behind.T
    own = behind @ tree.r_pu  # mean length of the root paths
    ohm: FloatArray = np.maximum(own[:, None] + own - 2 * shared, 0.0) * float(feeder.vn_kv.min()) ** 2 * 1000
    return ohm


def distance_charges(
    feeder: Feeder,
    *,
    tick: float,
    per_kwh_and_ohm: float,
    base_per_kwh: float = 0.0,
    buses: IntArray | None = None,
) -> IntArray:
    """Compute charges that grow with electrical distance [ticks], shape [buyer zone, seller zone].

    The mean path resistance between the homes of two zones, times a price (Guerrero et al. 2019,
    doi:10.1109/TSG.2018.2878445; Baroche et al. 2019, IEEE Trans. Power Systems 34(4), compare it with zonal and
    uniform charges). A market pool is a zone, so homes of one zone pay the zone's mean.

    Parameters
    ----------
    feeder : Feeder
        The feeder.
    tick : float
        Smallest price step [currency/kWh].
    per_kwh_and_ohm : float
        Charge [currency/kWh] of one ohm between buyer and seller.
    base_per_kwh : float
        Charge of every trade, however near [currency/kWh].
    buses : IntArray, optional
        Bus of each home; all low-voltage buses if not given.
    """
    price = base_per_kwh + per_kwh_and_ohm * zone_path_ohm(feeder, buses)
    return _ceil_ticks(price, tick)


def loss_charges(
    feeder: Feeder,
    loss_factor: FloatArray,
    *,
    tick: float,
    energy_per_kwh: float,
    buses: IntArray | None = None,
) -> IntArray:
    """Compute what the losses that a trade causes cost [ticks], shape [buyer zone, seller zone].

    A trade pays the marginal losses at the buyer less those at the seller; one that relieves the wires pays nothing,
    because a negative charge means forbidden.

    Parameters
    ----------
    feeder : Feeder
        The feeder.
    loss_factor : FloatArray
        Energy lost for one more kWh drawn at each bus (`losses.loss_factors`), shape [buses].
    tick : float
        Smallest price step [currency/kWh].
    energy_per_kwh : float
        What a lost kWh costs [currency/kWh].
    buses : IntArray, optional
        Bus of each home; all low-voltage buses if not given.
    """
    return price_difference_charges(feeder, loss_factor * energy_per_kwh, tick=tick, buses=buses)


def price_difference_charges(
    feeder: Feeder, bus_price: FloatArray, *, tick: float, buses: IntArray | None = None
) -> IntArray:
    """Compute charges from a price at each bus, buyer's less seller's and never below 0 [ticks], shape [zones, zones].

    Parameters
    ----------
    feeder : Feeder
        The feeder.
    bus_price : FloatArray
        Price of the wires for a kWh drawn at each bus, such as `limits.bus_prices` [currency/kWh], shape [buses].
    tick : float
        Smallest price step [currency/kWh].
    buses : IntArray, optional
        Bus of each home; all low-voltage buses if not given.
    """
    zone_price = zone_weights(feeder, buses) @ bus_price
    return _ceil_ticks(np.maximum(zone_price[:, None] - zone_price, 0.0), tick)


def add_charges(charges: IntArray, more: IntArray) -> IntArray:
    """Return the sum of two matrices of charges; a trade that one of them forbids stays forbidden."""
    return np.where((charges < 0) | (more < 0), FORBIDDEN, charges + more)


def scale_charges(charges: IntArray, factor: float) -> IntArray:
    """Return charges times a factor, such as that of a time of day, rounded up; forbidden stays forbidden."""
    scaled = np.ceil(charges * factor - 1e-9).astype(np.int64)
    return np.where(charges < 0, FORBIDDEN, scaled)


def _ceil_ticks(price: FloatArray, tick: float) -> IntArray:
    return limit_ticks(price, ASK, tick)


def _unknown_rule(rule: str, known: tuple[str, ...]) -> InputError:
    return InputError(
        describe(
            "unknown rule of wheeling charges",
            where="network.charges.rule",
            got=rule,
            expected=", ".join(known),
            hint=did_you_mean(rule, known),
        )
    )

"""The community as frozen arrays, one row a home; nothing here changes after it is built."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from sunshare_sim.community.part import Part
from sunshare_sim.devices.battery import Batteries
from sunshare_sim.devices.ev import Chargers
from sunshare_sim.devices.heat_pump import Houses
from sunshare_sim.devices.part_load import Curves
from sunshare_sim.devices.shiftable import Runs
from sunshare_sim.devices.v2g import Cars
from sunshare_sim.feeder.graph import Feeder
from sunshare_sim.inputs.mobility import Sessions
from sunshare_sim.inputs.tariffs import GridPrices
from sunshare_sim.inputs.visits import Visits, no_visits
from sunshare_sim.ledger.terms import Terms
from sunshare_sim.scenario.devices import Battery
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray, IntArray

PROSUMER, CONSUMER, ENTERPRISE = 0, 1, 2
KINDS = ("Prosumer", "Consumer", "Enterprise")
CHARGING = ("on_arrival", "spread", "delayed", "price_following", "v2g")
STARTS = ("at_once", "cheapest", "solar")


class Series(Protocol):
    """Promise energy by slot and home, made on demand so that memory does not grow with time."""

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` (exclusive) [kWh], shape [last - first, homes]."""


@dataclass(frozen=True)
class Cohort:
    """Name the homes that share a strategy: a run of rows, so that views of arrays need no copy."""

    name: str
    first: int
    last: int
    strategy: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> slice:
        """Return the cohort's rows."""
        return slice(self.first, self.last)


@dataclass(frozen=True)
class Households:
    """Describe each home; all arrays have shape [homes].

    Attributes
    ----------
    name, group : tuple of str
        Name of the home and of its group.
    kind : IntArray
        `PROSUMER`, `CONSUMER` or `ENTERPRISE`.
    bus, zone : IntArray
        Bus on the feeder, and the zone (market pool) that bus lies in.
    annual_kwh, heat_pump_kwh : FloatArray
        Demand of a year without and of the heat pump [kWh]; 0 for none, NaN where a file or values say it.
    solar_kwp, tilt_deg, azimuth_deg : FloatArray
        Solar system; 0 kWp for none.
    """

    name: tuple[str, ...]
    group: tuple[str, ...]
    kind: IntArray
    bus: IntArray
    zone: IntArray
    annual_kwh: FloatArray
    heat_pump_kwh: FloatArray
    solar_kwp: FloatArray
    tilt_deg: FloatArray
    azimuth_deg: FloatArray

    def __len__(self) -> int:
        """Return the number of homes."""
        return len(self.name)


@dataclass(frozen=True)
class Fleet:
    """Describe the chargers, one row each: that of a car at its home, or a charge point of an enterprise.

    Attributes
    ----------
    home : IntArray
        Home the charger stands at, shape [cars].
    chargers : Chargers
        The chargers.
    sessions : Sessions
        All stays at all chargers, in order of arrival.
    flexible : Flexible, optional
        What cars that charge at will need beyond that; None where all charge on arrival or evenly.
    curves : Curves, optional
        Efficiency by load of each charger; None where none has one.
    visits : Visits
        Which car is at which charge point; `car` and `point` are rows of the fleet.
    """

    home: IntArray
    chargers: Chargers
    sessions: Sessions
    flexible: "Flexible | None" = None
    curves: Curves | None = None
    visits: Visits = field(default_factory=no_visits)


@dataclass(frozen=True)
class Flexible:
    """Describe the cars that charge at will; arrays have one row a charger of the fleet.

    Attributes
    ----------
    policy : IntArray
        Row in `CHARGING`.
    cars : Cars
        Batteries and chargers.
    wear_per_kwh : FloatArray
        Wear of a kWh given [currency/kWh].
    """

    policy: IntArray
    cars: Cars
    wear_per_kwh: FloatArray


@dataclass(frozen=True)
class BatteryControl:
    """Say how the batteries of a group are run.

    Attributes
    ----------
    members : slice
        Rows of the group's homes.
    section : Battery
        The scenario's section.
    wear_per_kwh : float
        Wear of a kWh in or out [currency/kWh].
    """

    members: slice
    section: Battery
    wear_per_kwh: float


@dataclass(frozen=True)
class Heating:
    """Describe the heat pumps of a group and the weather they work in.

    Attributes
    ----------
    home : IntArray
        Rows of the homes that have one, shape [pumps].
    houses : Houses
        Houses and pumps.
    control : str
        ``comfort``, ``price_following`` or ``solar_following``.
    gains_kw : float
        Heat gains of each house [kW].
    outdoor_c, cop : FloatArray
        Outdoor temperature [°C] and coefficient of performance, shape [slots].
    """

    home: IntArray
    houses: Houses
    control: str
    gains_kw: float
    outdoor_c: FloatArray
    cop: FloatArray


@dataclass(frozen=True)
class Equipment:
    """Hold the devices that only some scenarios have; nothing of it by default.

    Attributes
    ----------
    controls : tuple of BatteryControl
        Groups with batteries; the others have none.
    curves : Curves, optional
        Battery efficiency by load, one row a home.
    standby_kw : FloatArray, optional
        Own use of each battery [kW], shape [homes].
    heating : tuple of Heating
        Heat pumps of houses.
    runs : Runs, optional
        Runs of appliances, in order of the slot from which they may start.
    start : IntArray
        How each run's start is chosen, row in `STARTS`, shape [runs].
    """

    controls: tuple[BatteryControl, ...] = ()
    curves: Curves | None = None
    standby_kw: FloatArray | None = None
    heating: tuple[Heating, ...] = ()
    runs: Runs | None = None
    start: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Community:
    """Hold everything a run needs to know about the people, their devices and their feeder.

    Attributes
    ----------
    grid : TimeGrid
        Slots of the run.
    households : Households
        The homes, one row each.
    cohorts : tuple of Cohort
        Homes by strategy; together they cover every row once.
    feeder : Feeder
        The wires.
    load, solar : Series
        Energy used and generated by slot and home [kWh].
    batteries : Batteries
        Batteries by home; capacity 0 for none.
    initial_soc_kwh : FloatArray
        Energy in each battery at the start [kWh], shape [homes].
    fleet : Fleet
        Electric vehicles.
    prices : GridPrices
        The grid's prices by slot.
    charges : IntArray
        Wheeling charge [ticks], shape [buyer zone, seller zone]; negative = forbidden.
    sources : tuple of str
        Where the data come from, with their licences.
    equipment : Equipment
        Devices beyond these, and how batteries are run.
    terms : Terms, optional
        What the tariff asks beyond prices by slot; None where it asks nothing more.
    part : Part, optional
        Which part of a larger community this is; None for a whole one.
    """

    grid: TimeGrid
    households: Households
    cohorts: tuple[Cohort, ...]
    feeder: Feeder
    load: Series
    solar: Series
    batteries: Batteries
    initial_soc_kwh: FloatArray
    fleet: Fleet
    prices: GridPrices
    charges: IntArray
    sources: tuple[str, ...] = ()
    equipment: Equipment = field(default_factory=Equipment)
    terms: Terms | None = None
    part: Part | None = None

"""What homes use and generate, as series made on demand from the inputs a scenario names."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from sunshare_sim.community.households import Series
from sunshare_sim.community.owned import Owned
from sunshare_sim.community.part import Kept
from sunshare_sim.community.series import ProfileSeries, RepeatedSeries, StackedSeries, SummedSeries
from sunshare_sim.errors import InputError, describe
from sunshare_sim.inputs import demand as demands
from sunshare_sim.inputs import solar, weather
from sunshare_sim.inputs.demand import DemandShapes
from sunshare_sim.inputs.profiles import read_profile
from sunshare_sim.inputs.sky import Site
from sunshare_sim.inputs.weather import Weather
from sunshare_sim.scenario.households import (
    BdewDemand,
    FileDemand,
    Group,
    PvlibSolar,
    SimbenchDemand,
    ValuesDemand,
    ValuesSolar,
)
from sunshare_sim.scenario.place import ClearSky, DwdTry, Tmy
from sunshare_sim.scenario.schema import Scenario
from sunshare_sim.streams import stream
from sunshare_sim.timegrid import TimeGrid
from sunshare_sim.units import FloatArray

Notice = Callable[[str], None]
Groups = list[tuple[Group, int]]


class Inputs:
    """Read a scenario's inputs, each source once, and remember where they come from.

    Attributes
    ----------
    kept : dict of str to Kept
        Which homes of each group are built.
    sources : list of str
        Sources used so far, with their licences.
    """

    def __init__(
        self, scenario: Scenario, grid: TimeGrid, kept: dict[str, Kept], *, notice: Notice | None = None
    ) -> None:
        self.scenario = scenario
        self.grid = grid
        self.kept = kept
        self.notice = notice
        self.sources: list[str] = []
        self.site = Site(
            scenario.place.latitude,
            scenario.place.longitude,
            scenario.place.altitude_m,
            scenario.place.timezone,
        )

    def load(self, groups: Groups, owned: Owned) -> Series:
        """Return what each home uses, without its car [kWh]."""
        parts: list[Series] = []
        first = 0
        for group, size in groups:
            rows = slice(first, first + size)
            used = self._demand(group, owned.annual_kwh[rows])
            if owned.heat_pump_kwh[rows].any():
                used = SummedSeries((used, self._heat_pumps(group, owned.heat_pump_kwh[rows])))
            parts.append(used)
            first += size
        return parts[0] if len(parts) == 1 else StackedSeries(tuple(parts))

    def _demand(self, group: Group, annual_kwh: FloatArray) -> Series:
        section = group.demand
        if isinstance(section, ValuesDemand):
            return RepeatedSeries(np.array(section.kwh), np.ones(annual_kwh.size))
        if isinstance(section, FileDemand):
            self.sources.append(f"demand of group {group.name}: {section.path}")
            return self._file(section, self.kept[group.name])
        if isinstance(section, SimbenchDemand):
            shapes = demands.simbench_shapes(section.shapes or demands.HOUSEHOLDS, notice=self.notice)
        else:
            shapes = demands.bdew_shapes((section.profile,), notice=self.notice)
        self._note(shapes)
        own_days = isinstance(section, SimbenchDemand) and not section.bootstrap
        # A shop's or a farm's profile tells weekdays and seasons apart by itself; only homes are drawn apart.
        own_days |= isinstance(section, BdewDemand) and section.profile != "h0"
        return self._shaped(shapes, annual_kwh, group, group.name, draw_days=not own_days)

    def _heat_pumps(self, group: Group, annual_kwh: FloatArray) -> Series:
        shapes = demands.heat_pump_shapes(notice=self.notice)
        self._note(shapes)
        return self._shaped(shapes, annual_kwh, group, f"{group.name}/heat_pump", draw_days=True)

    def _shaped(
        self, shapes: DemandShapes, annual_kwh: FloatArray, group: Group, name: str, *, draw_days: bool
    ) -> Series:
        """Return demand that follows `shapes`, by drawn days or by the shapes' own."""
        seed, of = self.scenario.seed, self.kept[group.name].of
        shape_of_home = of(stream(seed, "households", name, "shape")).integers(
            len(shapes.names), size=annual_kwh.size
        )
        if draw_days:
            return demands.bootstrap(shapes, annual_kwh, shape_of_home, self.grid, seed, name=name, of=of)
        return demands.follow(shapes, annual_kwh, shape_of_home, self.grid)

    def _file(self, section: FileDemand, kept: Kept) -> Series:
        series = read_profile(
            section.path,
            grid=self.grid,
            unit=section.unit,
            columns=section.columns,
            timezone=section.timezone,
        )
        if len(series.names) != kept.size:
            raise InputError(
                describe(
                    "not one column a home",
                    where=section.path,
                    got=f"{len(series.names)} columns",
                    expected=str(kept.size),
                    hint="name the columns to take, or change the number of homes",
                )
            )
        if kept.rows.size == kept.size:
            return series
        names = tuple(series.names[row] for row in kept.rows)
        return replace(series, names=names, energy_kwh=series.energy_kwh[:, kept.rows])

    def _note(self, shapes: DemandShapes) -> None:
        source = f"{shapes.source} ({shapes.licence})"
        if source not in self.sources:
            self.sources.append(source)

    def solar(self, groups: Groups, owned: Owned) -> Series:
        """Return what each home's solar system generates [kWh]."""
        given = [group.solar for group, _ in groups if isinstance(group.solar, ValuesSolar)]
        if not given and not owned.solar_kwp.any():
            return RepeatedSeries(np.zeros(1), np.zeros(owned.kind.size))
        parts: list[Series] = []
        first = 0
        for group, size in groups:
            kwp = owned.solar_kwp[first : first + size]
            if isinstance(group.solar, ValuesSolar):
                parts.append(RepeatedSeries(np.array(group.solar.kwh), (kwp > 0).astype(np.float64)))
            elif isinstance(group.solar, PvlibSolar) and kwp.any():
                tilt, azimuth = owned.tilt_deg[first : first + size], owned.azimuth_deg[first : first + size]
                parts.append(self._pvlib(group.solar, kwp, tilt, azimuth))
            else:
                parts.append(RepeatedSeries(np.zeros(1), np.zeros(size)))
            first += size
        return StackedSeries(tuple(parts))

    def _pvlib(self, section: PvlibSolar, kwp: FloatArray, tilt: FloatArray, azimuth: FloatArray) -> Series:
        """Return generation computed by pvlib, each distinct orientation once."""
        owners = kwp > 0
        distinct, column = np.unique(np.column_stack([tilt, azimuth])[owners], axis=0, return_inverse=True)
        profiles = solar.solar_profiles(
            self.weather,
            self.site,
            distinct[:, 0],
            distinct[:, 1],
            self.grid,
            dc_ac_ratio=section.dc_ac_ratio,
            notice=self.notice,
        )
        column_of_home = np.zeros(kwp.size, dtype=np.int64)
        column_of_home[owners] = column.ravel()
        return ProfileSeries(profiles, column_of_home, kwp)

    @cached_property
    def weather(self) -> Weather:
        """Return the weather of the run's slots, read when a solar system first needs it."""
        section, grid, site = self.scenario.place.weather, self.grid, self.site
        if isinstance(section, DwdTry):
            found = weather.dwd_try(section.region, grid, site, notice=self.notice)
        elif isinstance(section, Tmy):
            found = weather.tmy(section.station, grid, site, notice=self.notice)
        elif isinstance(section, ClearSky):
            found = weather.clear_sky(
                grid, site, seed=self.scenario.seed if section.clouds else None, notice=self.notice
            )
        else:
            found = weather.weather_file(section.path, grid, site)
        self.sources.append(f"{found.source} ({found.licence})")
        return found

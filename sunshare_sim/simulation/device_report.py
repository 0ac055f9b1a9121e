"""What a run says of its devices when it is over: cycles, ageing, wear, discomfort, the gap to perfect foresight."""

from typing import Any

import numpy as np

from sunshare_sim.community.households import BatteryControl
from sunshare_sim.devices.dispatch import cost_of, foresight_gap, schedule
from sunshare_sim.simulation.plant import Plant, horizon_of, lost
from sunshare_sim.units import FloatArray


def device_columns(plant: Plant, soc_kwh: FloatArray) -> dict[str, Any]:
    """Return what the table `households` says of devices after a run; NaN where there is none, shape [homes].

    Parameters
    ----------
    plant : Plant
        The devices after the last slot.
    soc_kwh : FloatArray
        Energy in each battery at the end [kWh], shape [homes].
    """
    community = plant.community
    capacity = community.batteries.capacity_kwh
    through = plant.charged_kwh + plant.discharged_kwh
    cycles, loss, gap = np.full((3, capacity.size), np.nan)
    np.divide(through, 2 * capacity, out=cycles, where=capacity > 0)
    wear = np.zeros(capacity.size)
    for control in community.equipment.controls:
        rows = control.members
        wear[rows] = control.wear_per_kwh * through[rows]
        loss[rows] = lost(plant, control)
        gap[rows] = _gaps(plant, control, soc_kwh)
    fleet = community.fleet
    if fleet.flexible is not None:
        # cars of one home are alike: its mean wear is that of each
        cars = np.maximum(np.bincount(fleet.home, minlength=capacity.size), 1)
        wear += (
            plant.given_kwh
            * np.bincount(fleet.home, fleet.flexible.wear_per_kwh, minlength=capacity.size)
            / cars
        )
    discomfort = np.full(capacity.size, np.nan)
    for heating in community.equipment.heating:
        discomfort[heating.home] = plant.discomfort_kh[heating.home]
    return {
        "battery_cycles": cycles,
        "battery_loss": loss,
        "ev_given_kwh": plant.given_kwh,
        "wear": wear,
        "discomfort_kh": discomfort,
        "foresight_gap": gap,
    }


def _gaps(plant: Plant, control: BatteryControl, soc_kwh: FloatArray) -> FloatArray:
    """Return what part of the possible saving each battery of a group left, NaN where that was not asked for."""
    rows = control.members
    gaps = np.full(rows.stop - rows.start, np.nan)
    if not plant.course:
        return gaps
    course = np.array([row[:, rows] for row in plant.course])
    slots = len(course)
    for i, home in enumerate(range(rows.start, rows.stop)):
        if plant.community.batteries.capacity_kwh[home] == 0:
            continue
        net, charge, discharge = course[:, :, i].T
        prices = plant.retail[:slots], plant.feed_in[:slots]
        horizon = horizon_of(plant.community, home, net, prices, control.wear_per_kwh)
        start = float(plant.community.initial_soc_kwh[home])
        best = schedule(horizon, plant.community.batteries, home, start).cost
        still = np.zeros(slots)
        gaps[i] = foresight_gap(
            cost_of(horizon, charge, discharge, float(soc_kwh[home])),
            best,
            cost_of(horizon, still, still, start),
        )
    return gaps

"""What the community's energy emits where it was made."""

import numpy as np

from sunshare_sim.units import FloatArray


def emissions_kg(net_import_kwh: FloatArray, grid_kg_per_kwh: FloatArray | float) -> float:
    """Return what the energy from outside the community emits [kg CO2]: sum(max(0, net import) * factor).

    Mean emissions of the grid, of the slot or of the year, as the location-based method counts purchased electricity;
    what flows out is not set against what flows in.

    Parameters
    ----------
    net_import_kwh : array
        What flows in at the feeder's head in each slot [kWh], negative = out, shape [slots].
    grid_kg_per_kwh : array or float
        Emissions of a kWh from the grid [kg CO2], one or one a slot.

    References
    ----------
    World Resources Institute (2015), GHG Protocol Scope 2 Guidance, ch. 6.
    """
    return float((np.maximum(net_import_kwh, 0.0) * grid_kg_per_kwh).sum())

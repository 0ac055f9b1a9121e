"""Who pays for the energy that the wires lose: rules that share out each slot's losses, exact to the unit.

All rules return whole 1e-6 kWh that sum to the losses given, so that the energy balance and the bills stay exact.
"""

from typing import Final

import numpy as np

from sunshare_sim.errors import NetworkError, describe, did_you_mean
from sunshare_sim.feeder._powerflow import Flow, marginal_losses
from sunshare_sim.feeder.powerflow import RadialModel
from sunshare_sim.units import FloatArray, IntArray

RULES: Final = ("socialised", "proportional", "marginal")
MOST_CANCELLED: Final = 0.1  # a part never exceeds ten times what is shared out


def allocate_losses(
    rule: str, losses: int, net_kwh: FloatArray, loss_factor: FloatArray | None = None
) -> IntArray:
    """Return each home's part of a slot's losses [1e-6 kWh], shape [homes]; the parts sum to `losses` exactly.

    "socialised": the same for every home. "proportional": by the energy that passes a home's meter, either way.
    "marginal": by how much the losses change with a home's power, times that power; such parts sum to about twice
    the losses, so they are scaled; a home that relieves the wires is credited (Conejo et al. 2002, IEEE Trans.
    Power Systems 17(3), 571, compares pro rata and incremental rules). When the incremental parts cancel to less
    than a tenth of their size, so that scaling would blow them up, the slot falls back to "proportional", and when
    nobody uses the wires, to "socialised".

    Parameters
    ----------
    rule : {"socialised", "proportional", "marginal"}
        How to share.
    losses : int
        Energy lost in the slot [1e-6 kWh].
    net_kwh : FloatArray
        Each home's deficit (> 0) or surplus (< 0) [kWh], shape [homes].
    loss_factor : FloatArray, optional
        Energy lost for one more kWh drawn by each home (`loss_factors` at its bus), shape [homes]; "marginal" needs it.

    Raises
    ------
    NetworkError
        When the rule is unknown, or "marginal" has no loss factors.
    """
    if rule not in RULES or (rule == "marginal" and loss_factor is None):
        raise NetworkError(
            describe(
                "unknown rule of losses, or marginal without loss factors",
                where="network.losses.rule",
                got=rule,
                expected=", ".join(RULES),
                hint=did_you_mean(rule, RULES),
            )
        )
    weight = np.ones(net_kwh.size)
    if rule != "socialised" and np.any(net_kwh != 0):
        weight = np.abs(net_kwh)
    if rule == "marginal" and loss_factor is not None:
        incremental = loss_factor * net_kwh
        if incremental.sum() > MOST_CANCELLED * max(np.abs(incremental).sum(), 1e-12):
            weight = incremental
    return share_exactly(losses, weight)


def share_exactly(total: int, weight: FloatArray) -> IntArray:
    """Return whole parts of `total` in proportion to `weight`, by largest remainder, so that they sum to it exactly.

    Parameters
    ----------
    total : int
        What to share.
    weight : FloatArray
        Weights, some may be negative, with a sum above 0; ties go to the lower index.
    """
    exact = total * (weight / weight.sum())
    parts: IntArray = np.floor(exact).astype(np.int64)
    missing = total - int(parts.sum())
    whole, extra = divmod(
        missing, parts.size
    )  # beyond one each only if rounding of very large numbers took it
    parts += whole
    parts[np.argsort(-(exact - np.floor(exact)), kind="stable")[:extra]] += 1
    return parts


def loss_factors(model: RadialModel, flow: Flow) -> FloatArray:
    """Return how much more is lost for one more kW drawn at each bus, shape [slots, buses].

    The derivative ``2 r P / V**2`` of each branch's losses, summed along the path to the root (LinDistFlow: voltages
    and reactive power held). Negative where drawing relieves the wires.

    Parameters
    ----------
    model : RadialModel
        The feeder.
    flow : Flow
        Its balanced flow.
    """
    factor = np.empty(flow.voltage_pu.shape)
    marginal_losses(model.tree, flow.voltage_pu, flow.power_kw, factor)
    return factor

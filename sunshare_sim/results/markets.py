"""How the local market worked: price, volatility, efficiency, concentration, liquidity."""

from typing import Final

import numpy as np

from sunshare_sim.results.columns import Columns, array, ratio
from sunshare_sim.units import FloatArray

COMPETITIVE_RSI: Final = 1.1


def slot_prices(slots: Columns) -> FloatArray:
    """Return what sellers got in each slot with trades, weighted by volume [currency/kWh]: trade_value / traded."""
    traded = array(slots, "traded_kwh")
    held = traded > 0
    prices: FloatArray = array(slots, "trade_value")[held] / traded[held]
    return prices


def price_volatility(slots: Columns) -> float:
    """Return how far slots' prices stray from their mean [currency/kWh]: standard deviation over slots with trades."""
    prices = slot_prices(slots)
    return float(prices.std()) if prices.size else float("nan")


def price_quantile(slots: Columns, q: float) -> float:
    """Return the price that a share `q` of the slots with trades does not reach [currency/kWh]."""
    prices = slot_prices(slots)
    return float(np.quantile(prices, q)) if prices.size else float("nan")


def allocative_efficiency(slots: Columns) -> float:
    """Return the gains from trade made, over all that were there to make.

    A kWh that changes hands locally is worth the retail price it replaces less the feed-in price it forgoes, whatever
    the two agree on; charges only move money. So
    sum(traded * spread) / sum(min(surplus, deficit) * spread), with spread = max(0, retail - feed_in) in each slot:
    the measure of Smith (1962) with the grid's prices as everybody's true values.

    References
    ----------
    Smith, V. L. (1962), An experimental study of competitive market behavior, Journal of Political Economy 70(2),
    111-137, doi:10.1086/258609.
    """
    spread = np.maximum(array(slots, "retail_per_kwh") - array(slots, "feed_in_per_kwh"), 0.0)
    possible = np.minimum(array(slots, "surplus_kwh"), array(slots, "deficit_kwh"))
    return ratio(float((array(slots, "traded_kwh") * spread).sum()), float((possible * spread).sum()))


def concentration(energy_kwh: FloatArray) -> float:
    """Return the Herfindahl-Hirschman index, 1/n (all alike) to 1 (one has all): sum of squared shares.

    References
    ----------
    Hirschman, A. O. (1964), The paternity of an index, American Economic Review 54(5), 761-762.
    """
    x = np.asarray(energy_kwh, dtype=np.float64)
    return ratio(float((x**2).sum()), float(x.sum()) ** 2)


def pivotal_share(slots: Columns) -> float:
    """Return the share of slots with demand and supply in which the largest seller was needed, or nearly.

    The residual supply index (surplus - largest surplus of a home) / deficit is below 1.1 there, the value below which
    prices were found to leave the competitive level.

    References
    ----------
    Sheffrin, A. Y., Chen, J. and Hobbs, B. F. (2004), Watching watts to prevent abuse of power, IEEE Power and Energy
    Magazine 2(4), 58-65.
    """
    surplus, deficit = array(slots, "surplus_kwh"), array(slots, "deficit_kwh")
    held = (surplus > 0) & (deficit > 0)
    rest = (surplus - array(slots, "largest_surplus_kwh"))[held]
    return ratio(
        float(np.count_nonzero(rest < COMPETITIVE_RSI * deficit[held])), float(np.count_nonzero(held))
    )


def mean_spread(quotes: Columns) -> float:
    """Return how far apart the best quotes left in the book were [currency/kWh]: mean(best ask - best bid)."""
    spread = array(quotes, "best_ask_per_kwh") - array(quotes, "best_bid_per_kwh")
    spread = spread[np.isfinite(spread)]
    return float(spread.mean()) if spread.size else float("nan")


def mean_depth_kwh(slots: Columns) -> float:
    """Return what could be traded at once in a slot with both sides [kWh]: mean(min(surplus, deficit))."""
    depth = np.minimum(array(slots, "surplus_kwh"), array(slots, "deficit_kwh"))
    held = depth > 0
    return ratio(float(depth[held].sum()), float(np.count_nonzero(held)))


def traded_slots(slots: Columns) -> float:
    """Return the share of slots in which something was traded."""
    return ratio(
        float(np.count_nonzero(array(slots, "traded_kwh") > 0)), float(len(array(slots, "traded_kwh")))
    )

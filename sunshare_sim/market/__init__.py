"""The market: an exact order book and the mechanisms beside it. It knows pools and charges, no grid."""

from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.mechanism import (
    Claim,
    Clearing,
    MarketRules,
    Mechanism,
    ReferencePrices,
    TakesCharges,
    make_mechanism,
    mechanism_names,
)
from sunshare_sim.market.orders import Events, Fill, Fills, Order, Orders
from sunshare_sim.units import ASK, BID

__all__ = [
    "ASK",
    "BID",
    "Claim",
    "Clearing",
    "Events",
    "Fill",
    "Fills",
    "MarketRules",
    "Mechanism",
    "Order",
    "OrderBook",
    "Orders",
    "ReferencePrices",
    "TakesCharges",
    "make_mechanism",
    "mechanism_names",
]

"""The market: an exact order book and the mechanisms beside it. It knows pools and charges, no grid."""

from sunshare_sim.market.book import OrderBook
from sunshare_sim.market.orders import Events, Fill, Fills, Order, Orders
from sunshare_sim.units import ASK, BID

__all__ = ["ASK", "BID", "Events", "Fill", "Fills", "Order", "OrderBook", "Orders"]

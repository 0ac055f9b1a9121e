"""The public tape of a run: every quote and every trade in order of time, joined from `orders` and `trades`."""

from typing import TYPE_CHECKING

import numpy as np

from sunshare_sim.results.shown import Shown
from sunshare_sim.units import IntArray, from_micro

if TYPE_CHECKING:
    import pandas as pd


def tape(run: Shown) -> "pd.DataFrame":
    """Return quotes and trades in order of time, one row each.

    Parameters
    ----------
    run : Shown
        A run that kept its orders (`results.orders`).

    Returns
    -------
    DataFrame
        `slot`, `kind` ("quote" or "trade"), `household` (who quoted; in a trade the one whose order made it, -1 where
        orders met at once), `side`, `pool` (of the quote), `price_per_kwh` (limit, or what the seller gets),
        `quantity_kwh`, `buyer`, `seller` (of a trade). A trade follows the order that made it. Trades that nobody's
        arrival made come after a call auction's quotes, and before the quotes of a slot whose orders stood already.
    """
    import pandas as pd

    orders = run.exact("orders")
    trades = run.exact("trades").sort_values("slot", kind="stable")  # a trade may be settled, and kept, later
    place, turn, household = _places(orders, trades, stands=run.scenario.market.order_lifetime != "slot")
    in_time = np.lexsort(
        (
            np.arange(len(orders) + len(trades)),
            np.concatenate([np.zeros(len(orders)), turn]),
            np.concatenate([np.arange(len(orders)), place]),
        )
    )
    none = np.full(len(orders), -1)
    side = np.where(orders["side"].to_numpy() == 1, "bid", "ask")
    table = pd.DataFrame(
        {
            "slot": np.concatenate([orders["slot"], trades["slot"]]),
            "kind": np.repeat(["quote", "trade"], [len(orders), len(trades)]),
            "household": np.concatenate([orders["household"], household]),
            "side": np.concatenate([side, np.full(len(trades), "")]),
            "pool": np.concatenate([orders["pool"], np.full(len(trades), -1)]),
            "price_per_kwh": from_micro(
                np.concatenate([orders["price_micro_per_kwh"], trades["price_micro_per_kwh"]])
            ),
            "quantity_kwh": from_micro(
                np.concatenate([orders["quantity_micro_kwh"], trades["energy_micro_kwh"]])
            ),
            "buyer": np.concatenate([none, trades["buyer"]]),
            "seller": np.concatenate([none, trades["seller"]]),
        }
    )
    return table.iloc[in_time].reset_index(drop=True)


def _places(
    orders: "pd.DataFrame", trades: "pd.DataFrame", *, stands: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """Return for each trade the order it stands by, whether before (-1) or after it (1), and who made it."""
    ordered, traded = orders["slot"].to_numpy(), trades["slot"].to_numpy()
    made = orders["trades"].to_numpy()
    slots = int(max(ordered.max(initial=-1), traded.max(initial=-1))) + 1
    made_in = np.bincount(ordered, made, slots).astype(np.int64)
    met_in = np.bincount(traded, minlength=slots) - made_in  # trades that no arrival made
    rank = np.arange(traded.size) - np.searchsorted(traded, traded)
    if stands:
        rank -= met_in[traded]
    arrived = (rank >= 0) & (rank < made_in[traded])
    makers = np.repeat(np.arange(ordered.size), made)
    place = np.searchsorted(ordered, traded, side="left" if stands else "right") - (0 if stands else 1)
    place[arrived] = makers[(np.cumsum(made_in) - made_in)[traded[arrived]] + rank[arrived]]
    turn = np.where(arrived | (not stands), 1, -1)
    return place, turn, np.where(arrived, orders["household"].to_numpy()[place], -1)

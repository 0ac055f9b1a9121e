"""What a book shows the public, as tables: its depth, and the tape of quotes and trades with the best bid and ask."""

from typing import TYPE_CHECKING, Final

import numpy as np

from sunshare_sim.market import _layout as at
from sunshare_sim.market.orders import CANCEL, EXPIRE, NEVER, REPLACE, SUBMIT, Events, Order
from sunshare_sim.units import ASK, BID, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from sunshare_sim.market.book import OrderBook

KINDS: Final = {SUBMIT: "quote", CANCEL: "cancel", REPLACE: "replace", EXPIRE: "expire"}
TAPE: Final = ["event", "kind", "side", "pool", "price", "quantity", "best_bid", "best_ask"]


def show(row: list[int], levels: int, shift: int, pools: int) -> Order:
    """Return a row of the book's store as the order it stands for."""
    ladder, rung = row[at.RUNG] >> shift, row[at.RUNG] & ((1 << shift) - 1)
    bid = ladder < pools
    return Order(
        id=row[at.ID],
        owner=row[at.OWNER],
        side=BID if bid else ASK,
        pool=ladder % pools,
        price=levels - rung if bid else rung,
        quantity=row[at.QUANTITY],
        time=row[at.TIME],
        expiry=None if row[at.EXPIRY] == NEVER else row[at.EXPIRY],
    )


def depth_table(side: IntArray, price: IntArray, quantity: IntArray) -> "pd.DataFrame":
    """Return orders grouped by side and price, bids first, best first: `side, price, quantity, orders`."""
    import pandas as pd

    table = pd.DataFrame({"side": side, "price": price, "quantity": quantity, "rank": -side * price})
    groups = table.groupby(["side", "rank", "price"], as_index=False)
    grouped: pd.DataFrame = groups.agg(quantity=("quantity", "sum"), orders=("quantity", "size"))
    ordered = grouped.sort_values(["side", "rank"], ascending=[False, True], ignore_index=True)
    return ordered[["side", "price", "quantity", "orders"]].astype(np.int64)


def replay(book: "OrderBook", events: Events) -> "pd.DataFrame":
    """Apply events one by one; return the public tape, one row a message and one a trade, in order of time.

    Columns are `event` (row of the events), `kind` ("quote", "cancel", "replace", "expire", "trade"), `side`, `pool`,
    `price` and `quantity` of a quote (or price and quantity of a trade), and `best_bid` and `best_ask` over all pools
    after it (missing while a side is empty). Owners are not public.
    """
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    for event in range(len(events.kind)):
        fills = book.process(Events(*(column[event : event + 1] for column in events)))
        best = book.best_bid(), book.best_ask()
        kind, _, _, *quote, _, _ = (int(column[event]) for column in events)
        shown = quote if kind == SUBMIT else [None] * 4
        rows.append((event, KINDS[kind], *shown, *best))
        trades = zip(fills.price.tolist(), fills.quantity.tolist(), strict=True)
        rows.extend((event, "trade", None, None, *trade, *best) for trade in trades)
    return pd.DataFrame(rows, columns=TAPE).astype(dict.fromkeys(TAPE[2:], "Int64"))

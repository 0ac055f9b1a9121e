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
    """Do what `OrderBook.replay` says, with events that the book can take."""
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    for event in range(len(events.kind)):
        kind, order_id, _, *quote, _, _ = (int(column[event]) for column in events)
        known = book.order(order_id) if kind in {CANCEL, REPLACE} else None
        refused = book.rejected
        fills = book.process(Events(*(column[event : event + 1] for column in events)))
        if book.rejected > refused or (known is None and kind in {CANCEL, REPLACE}):
            continue
        best = book.best_bid(), book.best_ask()
        if known is not None:
            price, quantity = quote[2:] if kind == REPLACE else (0, 0)
            quote = [known.side, known.pool, price or known.price, quantity or known.quantity]
        shown = [None] * 4 if kind == EXPIRE else quote
        rows.append((event, KINDS[kind], *shown, *best))
        trades = zip(fills.price.tolist(), fills.quantity.tolist(), strict=True)
        rows.extend((event, "trade", None, None, *trade, *best) for trade in trades)
    return pd.DataFrame(rows, columns=TAPE).astype(dict.fromkeys(TAPE[2:], "Int64"))

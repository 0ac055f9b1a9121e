"""Settlement in batches, apart from trading: agreed trades wait here until a block takes them.

A trade is pending from the moment it is agreed until a block settles it or it fails there. Blocks take trades in the
order in which they were agreed, so what becomes of a trade does not depend on when its block is made: `verify`, which
knows no clock, finds the same statuses.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.errors import LedgerError, describe
from sunshare_sim.ledger._settlement import Trades
from sunshare_sim.ledger.account import Account
from sunshare_sim.ledger.billing import Accumulators, Settled, bill_slot
from sunshare_sim.ledger.chain import (
    DEFAULT_INTERVAL_MS,
    RECEIPT,
    Block,
    Chain,
    readings_bytes,
    receipts_array,
)
from sunshare_sim.ledger.gas import metering_gas, settled_gas
from sunshare_sim.ledger.settlement import Ledger
from sunshare_sim.units import IntArray

PENDING: Final = -1
NOTHING: Final = Settled(*(0,) * len(Settled._fields))
_NO_RECEIPTS: Final = np.empty((0, len(RECEIPT)), dtype=np.int64)


class Timetable(NamedTuple):
    """Say when blocks are made.

    Attributes
    ----------
    slots : int
        Trades are sent to the chain at the end of every `slots`-th slot.
    interval_ms : int
        A block can be made at every multiple of this [ms since 1970-01-01 UTC].
    trades : int
        Most trades in a block; 0 for no limit.
    """

    slots: int = 1
    interval_ms: int = DEFAULT_INTERVAL_MS
    trades: int = 0


@dataclass
class SlotTrades:
    """Hold a slot that is not settled yet.

    Attributes
    ----------
    slot : int
        Its number.
    traded_ms : int
        When its trades were agreed [ms since 1970-01-01 UTC].
    net : IntArray
        Metered net [1e-6 kWh], deficit positive, shape [homes].
    prices : (int, int)
        Retail and feed-in price [1e-6 currency/kWh].
    trades : Trades
        What was agreed.
    losses : IntArray, optional
        What each home is billed of the energy lost in the wires [1e-6 kWh], shape [homes].
    status : IntArray
        `PENDING` until a block has the trade; then what the ledger says, shape [trades].
    block, latency_ms : IntArray
        Number of the block with the trade, and how long it waited [ms]; -1 while it waits; shape [trades].
    settled : Settled
        Sums of the slot, once it is `whole`.
    """

    slot: int
    traded_ms: int
    net: IntArray
    prices: tuple[int, int]
    trades: Trades
    losses: IntArray | None = None
    status: IntArray = field(init=False)
    block: IntArray = field(init=False)
    latency_ms: IntArray = field(init=False)
    settled: Settled = NOTHING
    done: int = 0
    sent_ms: int = 0  # when it was sent to the chain

    def __post_init__(self) -> None:
        self.status, self.block, self.latency_ms = np.full((3, self.trades.energy.size), PENDING)

    @property
    def whole(self) -> bool:
        """Return whether no trade waits any more."""
        return self.done == self.status.size


class Made(NamedTuple):
    """Tell of a block.

    Attributes
    ----------
    block : Block
        What it seals.
    receipts : IntArray
        Its receipts, rows of `chain.RECEIPT`.
    latency_ms : int
        How long its eldest trade has waited.
    finished : tuple of SlotTrades
        The slots whose last trade it settled.
    gas : int
        Of settling its trades, one batch a slot.
    metering_gas : int
        Of registering the surplus of the slots it began, and delivering the credits of those it finished.
    """

    block: Block
    receipts: IntArray
    latency_ms: int
    finished: tuple[SlotTrades, ...]
    gas: int
    metering_gas: int


class SettlementQueue:
    """Settle agreed trades block by block, in the order in which they were agreed.

    Parameters
    ----------
    ledger : Ledger
        Where they are settled.
    bills : Accumulators
        Where a slot is billed as soon as its last trade is settled or has failed.
    chain : Chain
        Where the blocks are sealed.
    timetable : Timetable, optional
        When, and how many trades at once.
    account : Account, optional
        What a tariff of several parts adds up beside the bills.

    Attributes
    ----------
    pending : int
        How many trades wait.
    """

    def __init__(
        self,
        ledger: Ledger,
        bills: Accumulators,
        chain: Chain,
        timetable: Timetable | None = None,
        *,
        account: Account | None = None,
    ) -> None:
        timetable = timetable or Timetable()
        if min(timetable.slots, timetable.interval_ms) < 1 or timetable.trades < 0:
            expected = "slots and interval >= 1, limit >= 0"
            raise LedgerError(
                describe(
                    "not a block interval", where="settlement", got=timetable._asdict(), expected=expected
                )
            )
        self.ledger = ledger
        self.bills = bills
        self.account = account
        self.chain = chain
        self.timetable = timetable
        self._collected: list[SlotTrades] = []  # not yet sent to the chain
        self._sent: deque[SlotTrades] = deque()  # sent; their readings are in no block yet
        self._open: deque[SlotTrades] = deque()  # readings are in a block, trades are left
        self._begun = False  # the first of the open ones
        self._gas = self._metering_gas = 0  # of the block that is being made
        self.pending = 0  # trades that wait

    @property
    def waiting(self) -> tuple[SlotTrades, ...]:
        """Return the slots that are not settled, in order."""
        return (*self._open, *self._sent, *self._collected)

    @property
    def busy(self) -> bool:
        """Return whether there is something to make a block of."""
        return bool(self._sent or self._open)

    def put(self, agreed: SlotTrades, *, last: bool = False) -> None:
        """Take in a slot's trades; they are sent to the chain with those of the slots since the last time.

        `last` says that no slot follows, so that nothing is kept back.
        """
        self._collected.append(agreed)
        self.pending += agreed.status.size
        if last or (agreed.slot + 1) % self.timetable.slots == 0:
            for each in self._collected:
                each.sent_ms = agreed.traded_ms
            self._sent.extend(self._collected)
            self._collected.clear()

    def next_block_ms(self, now_ms: int) -> int:
        """Return when the next block after `now_ms` can be made [ms since 1970-01-01 UTC]."""
        interval = self.timetable.interval_ms
        return (now_ms // interval + 1) * interval

    def make_block(self, time_ms: int) -> Made | None:
        """Settle what was sent before `time_ms`, as much as a block holds, and seal it; None if there is nothing.

        Credits of a slot are minted when its first trade's turn comes, and burnt with its last.
        """
        readings = []
        while self._sent and self._sent[0].sent_ms < time_ms:
            each = self._sent.popleft()
            readings.append(readings_bytes(each.net, *each.prices, each.losses))
            self._open.append(each)
        if not self._open:
            return None
        last, eldest, number = self._open[-1].slot, self._open[0].traded_ms, self.chain.length
        self._gas = self._metering_gas = 0
        room, rows, finished = self.timetable.trades or self.pending, [], []
        while self._open and (room or self._open[0].whole):
            first = self._open[0]
            taken = min(room, first.status.size - first.done)
            rows.append(self._settle(first, taken, number, time_ms))
            room -= taken
            if not first.whole:
                break
            self._finish(first)
            finished.append(self._open.popleft())
        receipts = np.concatenate(rows) if rows else _NO_RECEIPTS
        at = divmod(time_ms, 1000)
        block = self.chain.append(at[0], last, receipts, readings=b"".join(readings), extra_ms=at[1])
        return Made(block, receipts, time_ms - eldest, tuple(finished), self._gas, self._metering_gas)

    def _settle(self, slot: SlotTrades, count: int, number: int, time_ms: int) -> IntArray:
        """Settle the next `count` trades of a slot and return their receipts."""
        if not self._begun:
            self.ledger.register_injections(slot.slot, np.maximum(-slot.net, 0))
            self._metering_gas += metering_gas(int(np.count_nonzero(slot.net < 0)), 0)
            self._begun = True
        taken = slice(slot.done, slot.done + count)
        trades = Trades(*(column[taken] for column in slot.trades))
        before = self.ledger.cash.copy(), self.ledger.credits.copy()
        slot.status[taken] = self.ledger.settle_batch(self.ledger.oracle, trades)
        self._gas += settled_gas(before, trades, slot.status[taken])
        slot.block[taken], slot.latency_ms[taken] = number, time_ms - slot.traded_ms
        slot.done += count
        self.pending -= count
        return receipts_array(slot.slot, trades, slot.status[taken], first=taken.start)

    def _finish(self, slot: SlotTrades) -> None:
        """Bill a slot whose trades are all settled, burn its credits, and check that nothing was lost."""
        slot.settled = bill_slot(self.bills, slot.net, slot.trades, slot.status, slot.prices)
        if self.account is not None:
            self.account.take(self.bills, slot.net, slot.trades, slot.status)
        self._metering_gas += metering_gas(0, int(np.count_nonzero(self.ledger.credits)))
        self.ledger.deliver(slot.net)
        self.ledger.check_conservation()
        self._begun = False

"""The run's only clock: SimPy, in integer milliseconds since the start of slot 0.

Two processes share it: slots, which trade, and the block producer, which settles what was traded. Neither waits for the
other but at the very end, when what is left is settled.
"""

from collections.abc import Callable, Generator
from typing import Final, Protocol

import simpy

from sunshare_sim.timegrid import TimeGrid

MS: Final = 1000


class BlockProducer(Protocol):
    """Settle what has been traded, a block at a time."""

    @property
    def busy(self) -> bool:
        """Return whether there is something to make a block of."""

    def next_block_ms(self, now_ms: int) -> int:
        """Return when the next block after `now_ms` can be made [ms since 1970-01-01 UTC]."""

    def make_block(self, time_ms: int) -> object:
        """Make the block of that time."""


class Clock:
    """Call `on_slot` at the end of every slot: a slot is traded when its meters have been read.

    Parameters
    ----------
    grid : TimeGrid
        Slots of the run.
    on_slot : callable
        Takes the slot's number.
    producer : BlockProducer, optional
        Is called whenever a block is due.
    """

    def __init__(
        self, grid: TimeGrid, on_slot: Callable[[int], None], producer: BlockProducer | None = None
    ) -> None:
        self.grid = grid
        self.slot = 0  # next slot to be run
        self._start_ms = MS * int(grid.start.timestamp())
        self._env = simpy.Environment()
        self._sent = self._env.event()
        self._producer = producer
        self._env.process(self._slots(on_slot))
        if producer is not None:
            self._env.process(self._blocks(producer))

    def _slots(self, on_slot: Callable[[int], None]) -> Generator[simpy.Event, None, None]:
        for slot in range(self.grid.slots):
            yield self._env.timeout(MS * self.grid.seconds)
            on_slot(slot)
            self.slot = slot + 1
            if not self._sent.triggered:
                self._sent.succeed()

    def _blocks(self, producer: BlockProducer) -> Generator[simpy.Event, None, None]:
        # An event a block, not one a block interval: between two slots there may be thousands in which nothing happens.
        while True:
            while producer.busy:
                time_ms = producer.next_block_ms(self.now_ms)
                yield self._env.timeout(time_ms - self.now_ms)
                producer.make_block(time_ms)
            if (
                self.finished
            ):  # who waits for ever keeps the run's whole state alive until the garbage collector comes
                return
            self._sent = self._env.event()
            yield self._sent

    @property
    def now_ms(self) -> int:
        """Return the time [ms since 1970-01-01 UTC]."""
        return self._start_ms + int(self._env.now)

    @property
    def now(self) -> int:
        """Return the seconds since the start of slot 0."""
        return int(self._env.now) // MS

    @property
    def finished(self) -> bool:
        """Return whether every slot has been run."""
        return self.slot == self.grid.slots

    def step(self) -> None:
        """Run one slot, and whatever else falls due before the next one ends; after the last, all that is left."""
        try:
            self._env.run(until=MS * self.grid.seconds * (self.slot + 2))
            while self.finished and self._producer is not None and self._producer.busy:
                self._env.step()
        except Exception as error:
            # SimPy raises a copy of an error; only the original knows the line it came from.
            if error.__cause__ is None or type(error.__cause__) is not type(error):
                raise
            raise error.__cause__ from error.__cause__.__cause__

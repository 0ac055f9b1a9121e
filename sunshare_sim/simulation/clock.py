"""The run's only clock: SimPy, in integer seconds since the start of slot 0."""

from collections.abc import Callable, Generator

import simpy

from sunshare_sim.timegrid import TimeGrid


class Clock:
    """Call `on_slot` at the end of every slot: a slot is traded when its meters have been read.

    Parameters
    ----------
    grid : TimeGrid
        Slots of the run.
    on_slot : callable
        Takes the slot's number.
    """

    def __init__(self, grid: TimeGrid, on_slot: Callable[[int], None]) -> None:
        self.grid = grid
        self.slot = 0  # next slot to be run
        self._env = simpy.Environment()
        self._slot_over = self._env.event()
        self._env.process(self._slots(on_slot))

    def _slots(self, on_slot: Callable[[int], None]) -> Generator[simpy.Event, None, None]:
        for slot in range(self.grid.slots):
            yield self._env.timeout(self.grid.seconds)
            on_slot(slot)
            self.slot = slot + 1
            over, self._slot_over = self._slot_over, self._env.event()
            over.succeed()

    @property
    def now(self) -> int:
        """Return the seconds since the start of slot 0."""
        return int(self._env.now)

    @property
    def finished(self) -> bool:
        """Return whether every slot has been run."""
        return self.slot == self.grid.slots

    def step(self) -> None:
        """Run one slot, and whatever else falls due until it ends."""
        self._env.run(until=self._slot_over)

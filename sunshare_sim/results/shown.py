"""What a figure needs of a run: its tables and its scenario. Keeps figures below `run`, which offers them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from sunshare_sim.scenario.schema import Scenario

if TYPE_CHECKING:
    import pandas as pd


class Shown(Protocol):
    """Promise the tables of a run; `Run` keeps it."""

    @property
    def scenario(self) -> Scenario:
        """Return what was run."""

    @property
    def slots(self) -> "pd.DataFrame":
        """Return one row a slot."""

    @property
    def bills(self) -> "pd.DataFrame":
        """Return one row a home: energy and money."""

    @property
    def households(self) -> "pd.DataFrame":
        """Return one row a home: what it is and has."""

    @property
    def buses(self) -> "pd.DataFrame":
        """Return one row a bus."""

    @property
    def lines(self) -> "pd.DataFrame":
        """Return one row a line."""

    def exact(self, name: str, columns: Iterable[str] | None = None) -> "pd.DataFrame":
        """Return a table in whole 1e-6 units."""

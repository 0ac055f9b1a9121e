"""Roth-Erev learning: do more often what has paid."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from sunshare_sim.agents.strategy import Quotes, Strategy, Tape, View, strategy
from sunshare_sim.errors import StrategyError, describe
from sunshare_sim.units import FloatArray, IntArray


class Propensities(NamedTuple):
    """Hold what each home has learned; row 0 of the middle axis as a buyer, row 1 as a seller.

    Attributes
    ----------
    weight : FloatArray
        Propensity of each margin, shape [homes, 2, margins].
    choice : IntArray
        The margin of the quote that is out, -1 for none; shape [homes].
    size : FloatArray
        The energy of that quote [kWh], shape [homes].
    """

    weight: FloatArray
    choice: IntArray
    size: FloatArray


@strategy("roth_erev")
@dataclass(frozen=True)
class RothErev(Strategy):
    """Draw one of some margins, each as likely as it has paid so far.

    Roth & Erev (1995, Games and Economic Behavior 8, 164-212, doi:10.1016/S0899-8256(05)80020-X) as modified for
    electricity auctions by Nicolaisen, Petrov & Tesfatsion (2001, IEEE Transactions on Evolutionary Computation 5,
    504-523, doi:10.1109/4235.956714), so that a reward of zero still moves the weights. The reward is the gain against
    the grid, as a share of the most it could be.

    Attributes
    ----------
    margins : int
        Number of margins, evenly from none to the whole way to the other grid price.
    recency : float
        Share of a propensity forgotten with each quote.
    experiment : float
        Share of a reward that goes to the margins not chosen.
    """

    keeps_limit: ClassVar[bool] = True
    rounds: ClassVar[int] = 64

    margins: int = 11
    recency: float = 0.04
    experiment: float = 0.2

    def __post_init__(self) -> None:
        if self.margins < 2 or self.experiment >= self.recency * (self.margins - 1):
            raise StrategyError(
                describe(
                    "propensities would grow without end",
                    where="roth_erev",
                    got=f"margins {self.margins}, recency {self.recency:g}, experiment {self.experiment:g}",
                    expected="experiment below recency * (margins - 1)",
                )
            )

    def start(self, homes: int, rng: np.random.Generator) -> Propensities:  # noqa: ARG002 - the contract
        """Start with all margins equally likely."""
        return Propensities(
            weight=np.full((homes, 2, self.margins), 1.0 / self.margins),
            choice=np.full(homes, -1),
            size=np.zeros(homes),
        )

    def quote(self, view: View) -> Quotes:
        """Return the limit price and a drawn margin; one draw a home, whether it trades or not."""
        memory: Propensities = view.memory
        homes = np.arange(view.net_kwh.size)
        role = (view.side <= 0).astype(np.int64)
        totals = np.cumsum(memory.weight[homes, role], axis=1)
        draw = view.rng.random(homes.size)[:, None] * totals[:, -1:]
        choice = np.minimum((totals <= draw).sum(axis=1), self.margins - 1)
        memory.choice[:] = np.where(view.net_kwh != 0, choice, -1)
        memory.size[:] = np.abs(view.net_kwh)
        span = np.maximum(view.retail_price - np.asarray(view.feed_in_price), 0.0)
        price = view.limit_price - view.side * span * choice / (self.margins - 1)
        return Quotes(np.clip(price, 0.0, view.cap_price), np.abs(view.net_kwh))

    def learn(self, view: View, tape: Tape) -> None:  # noqa: ARG002 - it learns from its own trades alone
        """Reward the chosen margin of every home that had a quote out."""
        memory: Propensities = view.memory
        rows = np.flatnonzero((memory.choice >= 0) & (view.side != 0))
        if not rows.size:
            return
        role = (view.side[rows] <= 0).astype(np.int64)
        span = np.broadcast_to(view.retail_price - np.asarray(view.feed_in_price), view.side.shape)[rows]
        most = np.maximum(span * memory.size[rows], 1e-12)
        reward = np.clip(np.broadcast_to(view.gain, view.side.shape)[rows] / most, 0.0, 1.0)
        weight = memory.weight[rows, role]
        others = self.experiment / (self.margins - 1)
        updated = weight * (1.0 - self.recency + others)
        chosen = (np.arange(rows.size), memory.choice[rows])
        updated[chosen] = weight[chosen] * (1.0 - self.recency) + reward * (1.0 - self.experiment)
        memory.weight[rows, role] = updated
        memory.choice[rows] = -1

"""Energy by slot and home, made on demand from a few profiles."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sunshare_sim.community.households import Series
from sunshare_sim.units import FloatArray, IntArray


@dataclass(frozen=True)
class ProfileSeries:
    """Scale shared profiles to homes.

    Attributes
    ----------
    profiles : floating array
        Energy of each slot for a scale of 1 [kWh], shape [slots, profiles]; may be a file mapped into memory.
    column : IntArray
        Profile of each home, shape [homes].
    scale : FloatArray
        Factor of each home, such as its kWp; 0 for none; shape [homes].
    """

    profiles: npt.NDArray[np.floating]
    column: IntArray
    scale: FloatArray

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` [kWh], shape [last - first, homes]."""
        return self.profiles[first:last][:, self.column] * self.scale


@dataclass(frozen=True)
class RepeatedSeries:
    """Repeat the same few values for every home, for cases small enough to check by hand.

    Attributes
    ----------
    values : FloatArray
        Energy of a slot [kWh], shape [values].
    owns : FloatArray
        1 where the home follows the values, 0 where it has none of it, shape [homes].
    """

    values: FloatArray
    owns: FloatArray

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` [kWh], shape [last - first, homes]."""
        return np.multiply.outer(self.values[np.arange(first, last) % self.values.size], self.owns)


@dataclass(frozen=True)
class StackedSeries:
    """Put series of different homes side by side, in the order of the homes.

    Attributes
    ----------
    parts : tuple of Series
        One a group; their homes follow one another.
    """

    parts: tuple[Series, ...]

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` [kWh], shape [last - first, homes]."""
        return np.concatenate([part.block(first, last) for part in self.parts], axis=1)


@dataclass(frozen=True)
class SummedSeries:
    """Add up series of the same homes, such as a household's demand and its heat pump.

    Attributes
    ----------
    parts : tuple of Series
        All of the same homes.
    """

    parts: tuple[Series, ...]

    def block(self, first: int, last: int) -> FloatArray:
        """Return the energy of slots `first` to `last` [kWh], shape [last - first, homes]."""
        total = self.parts[0].block(first, last)
        for part in self.parts[1:]:
            total = total + part.block(first, last)
        return total

"""Named random streams: one seed for a run, one independent generator for each purpose.

A draw depends on the run's seed and the stream's name alone, never on what else was drawn. So a scenario that
changes its market or tariff keeps its weather, load and EV trips, and compared runs are paired draw by draw
(common random numbers; Law 2015, Simulation Modeling and Analysis, section 11.2).
"""

from hashlib import sha256

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of the stream `names` under `seed`.

    Parameters
    ----------
    seed : int
        Seed of the run, >= 0.
    *names : str or int
        What the draws are for, such as ``"demand", "donor-days"``.

    >>> stream(1, "weather").integers(100) == stream(1, "weather").integers(100)
    True
    """
    digest = sha256("/".join(map(str, names)).encode()).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))

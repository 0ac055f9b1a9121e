"""From grid and sample to points: which values each variant sets."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final

from sunshare_sim.streams import stream
from sunshare_sim.studies.naming import combination_name, made_unique, short_keys
from sunshare_sim.studies.schema import Interval, Sample
from sunshare_sim.units import FloatArray

SIGNIFICANT: Final = 6


def grid_points(grid: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the grid's values, the last key changing fastest.

    >>> list(grid_points({"a": [1, 2], "b": ["x"]}))
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def grid_names(grid: Mapping[str, Iterable[Any]], taken: Iterable[str]) -> list[str]:
    """Return a name for each point of the grid, in their order."""
    shorts = short_keys(grid)
    return made_unique((combination_name(point, shorts) for point in grid_points(grid)), taken)


def sample_points(sample: Sample, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the points of a sample; they depend on the method, `n`, the number of keys and the seed alone.

    Latin hypercube: McKay, Beckman & Conover 1979 (doi:10.2307/1268522); Sobol 1967 (doi:10.1016/0041-5553(67)90144-9)
    scrambled after Owen; Halton 1960 (doi:10.1007/BF01386213). Numbers are rounded to 6 significant digits, so that
    what a table shows is what was run.
    """
    for row in _unit_points(sample, seed):
        yield {
            key: _value(values, float(u)) for (key, values), u in zip(sample.keys.items(), row, strict=True)
        }


def sample_names(sample: Sample, taken: Iterable[str]) -> list[str]:
    """Return a name for each point of the sample: their values are too many to be names."""
    digits = max(3, len(str(sample.n)))
    return made_unique((f"sample-{number:0{digits}d}" for number in range(1, sample.n + 1)), taken)


def _unit_points(sample: Sample, seed: int) -> FloatArray:
    """Return points of the unit cube, shape [n, keys]."""
    from scipy.stats import qmc

    engines = {"latin_hypercube": qmc.LatinHypercube, "sobol": qmc.Sobol, "halton": qmc.Halton}
    engine = engines[sample.method](len(sample.keys), rng=stream(seed, "study", "sample", sample.method))
    points: FloatArray = engine.random(sample.n)
    return points


def _value(values: Interval | list[Any], u: float) -> Any:
    if isinstance(values, list):
        return values[int(u * len(values))]
    if isinstance(values.min, int) and isinstance(values.max, int):
        return values.min + int(u * (values.max - values.min + 1))
    return _rounded(values.min + u * (values.max - values.min), values)


def _rounded(value: float, bounds: Interval) -> float:
    if value == 0:
        return 0.0
    digits = SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))
    return float(min(max(round(value, digits), bounds.min), bounds.max))

"""What replications say: paired intervals, how many comparisons were made, when it is enough. Pure functions.

All runs of a seed share weather, load, trips and order of arrival, so variants are compared seed by seed: the
difference has less noise than either side (common random numbers; Law 2015, Simulation Modeling and Analysis, 11.2).
"""

import math
import warnings
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sunshare_sim.streams import stream
from sunshare_sim.units import FloatArray

RESAMPLES: Final = 5_000
LEAST_FOR_BOOTSTRAP: Final = 3
NAN: Final = math.nan


class Interval(NamedTuple):
    """Hold the two ends of a confidence interval; NaN where the data give none."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Return half the distance of the ends."""
        return (self.high - self.low) / 2


class Comparison(NamedTuple):
    """Hold what paired replications say about one figure of a variant and the base."""

    n: int
    base_mean: float
    mean: float
    difference: float
    low: float
    high: float
    low_bootstrap: float
    high_bootstrap: float
    p_value: float
    variance_reduction: float


def compare(base: FloatArray, variant: FloatArray, confidence: float, *names: str | int) -> Comparison:
    """Return the paired comparison of two series of replications.

    Parameters
    ----------
    base, variant : array
        One value a seed, both in the same order of seeds; pairs with a NaN do not count. Shape [seeds].
    confidence : float
        Level of the intervals.
    *names : str or int
        Name of the stream of the bootstrap's draws: the same data under the same names give the same interval.
    """
    both = ~(np.isnan(base) | np.isnan(variant))
    one, other = np.asarray(base, dtype=float)[both], np.asarray(variant, dtype=float)[both]
    differences = other - one
    n = len(differences)
    if n == 0:
        return Comparison(0, *[NAN] * 9)
    t, boot = t_interval(differences, confidence), bootstrap_interval(differences, confidence, *names)
    return Comparison(
        n, float(one.mean()), float(other.mean()), float(differences.mean()), *t, *boot,
        t_p_value(differences), variance_reduction(one, other),
    )  # fmt: skip


def t_interval(values: FloatArray, confidence: float) -> Interval:
    """Return Student's interval of a mean: mean +- t(n - 1) s / sqrt(n) (Student 1908, doi:10.2307/2331554)."""
    n = len(values)
    if n < 2:
        return Interval(NAN, NAN)
    from scipy.stats import t

    mean = float(np.mean(values))
    reach = float(t.ppf((1 + confidence) / 2, n - 1)) * _standard_error(values)
    return Interval(mean - reach, mean + reach)


def t_p_value(values: FloatArray) -> float:
    """Return the two-sided p-value of Student's test that the mean is zero; 0 or 1 where the values do not vary."""
    n = len(values)
    if n < 2:
        return NAN
    from scipy.stats import t

    mean, error = float(np.mean(values)), _standard_error(values)
    if error == 0:
        return float(mean == 0)
    return float(2 * t.sf(abs(mean) / error, n - 1))


def bootstrap_interval(values: FloatArray, confidence: float, *names: str | int) -> Interval:
    """Return the bootstrap interval of a mean: bias-corrected and accelerated (Efron 1987, doi:10.2307/2289144).

    Its level is expanded for small numbers, without which it would be too narrow by sqrt((n - 1) / n) and by the
    difference of normal and t quantiles (Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 5.3). The draws
    come from the stream `names`, so that the order in which intervals are asked for does not matter.
    """
    n = len(values)
    if n < LEAST_FOR_BOOTSTRAP:
        return Interval(NAN, NAN)
    if _standard_error(values) == 0:
        return Interval(float(values[0]), float(values[0]))
    level = _expanded(confidence, n)
    for method in ("BCa", "percentile"):  # BCa has no answer when every resample lies on one side of the mean
        found = _bootstrap(values, level, method, names)
        if math.isfinite(found.half_width):
            break
    return found


def _expanded(confidence: float, n: int) -> float:
    from scipy.stats import norm, t

    return float(1 - 2 * norm.sf(math.sqrt(n / (n - 1)) * t.ppf((1 + confidence) / 2, n - 1)))


def _bootstrap(values: FloatArray, confidence: float, method: str, names: tuple[str | int, ...]) -> Interval:
    from scipy.stats import bootstrap

    rng = stream(0, "study", "bootstrap", *names)
    options = {"n_resamples": RESAMPLES, "confidence_level": confidence, "method": method, "rng": rng}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degenerate data, which show as NaN
        low, high = bootstrap((values,), np.mean, **options).confidence_interval
    return Interval(float(low), float(high))


def variance_reduction(base: FloatArray, variant: FloatArray) -> float:
    """Return what pairing saves: 1 - var(variant - base) / (var(variant) + var(base)).

    1 = the seeds cancel altogether, 0 = pairing does not help, below 0 = it harms. With unpaired seeds the same
    interval would take about 1 / (1 - this) times as many replications.
    """
    apart = _variance(base) + _variance(variant)
    return 1 - _variance(variant - base) / apart if apart > 0 else NAN


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm 1979, jstor.org/stable/4615733); NaN stays and does not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    adjusted, floor = [NAN] * len(p_values), 0.0
    for rank, (p, i) in enumerate(known):
        floor = max(floor, min(1.0, (len(known) - rank) * p))
        adjusted[i] = floor
    return adjusted


def reaches(values: FloatArray, confidence: float, half_width: float, *, least: int) -> bool:
    """Return whether a mean is known well enough to stop: its t-interval reaches no farther than `half_width`.

    Never before `least` values. Stopping on the data makes the interval a little too narrow on average (Chow & Robbins
    1965, doi:10.1214/aoms/1177700156: the level holds as the half width goes to zero); `least` keeps that small.
    """
    known = values[~np.isnan(values)]
    return len(known) >= least and t_interval(known, confidence).half_width <= half_width


def _standard_error(values: FloatArray) -> float:
    return math.sqrt(_variance(values) / len(values))


def _variance(values: FloatArray) -> float:
    """Return the sample variance; exactly zero for equal numbers, which `np.var` does not promise."""
    if len(values) < 2 or np.ptp(values) == 0:
        return 0.0
    return float(np.var(values, ddof=1))

"""Sums and shares of whole units that neither wrap nor lose a digit."""

from sunshare_sim.units import MICRO, IntArray


def share(amount: IntArray, numerator: int, denominator: int) -> IntArray:
    """Return ``amount * numerator // denominator`` where the product may not fit int64 but the result does."""
    units, rest = amount // denominator, amount % denominator
    return units * numerator + rest * numerator // denominator


def tax_within(gross: IntArray, vat_ppm: int) -> IntArray:
    """Return the VAT contained in a gross amount, rounded down."""
    return share(gross, vat_ppm, MICRO + vat_ppm)


def tax_on(net: IntArray, vat_ppm: int) -> IntArray:
    """Return the VAT on a net amount, rounded down."""
    return share(net, vat_ppm, MICRO)


def exact_sum(*columns: IntArray) -> int:
    """Sum columns over all homes in Python integers, which do not wrap."""
    return sum(int(value) for column in columns for value in column)

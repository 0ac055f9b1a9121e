"""Draw the order book's cost against pools and against depth, from what `bench_matching.py` printed.

    python benchmarks/bench_matching.py > matching.txt
    python benchmarks/draw_matching.py matching.txt docs/figures/matching-cost.svg

One machine, one run: the figure shows shapes, not promises.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from sunshare_sim.results import style
from sunshare_sim.results.style import look

NUMBER = r"([\d,._]+)"
LINE = rf"^{{}}\s+{NUMBER} ns"
FAMILIES = (
    (rf"S, {NUMBER} pools?, any charges", "any charges", style.ORANGE),
    (rf"S, {NUMBER} pools?, tree tariff", "tree tariff", style.BLUE),
)


def points(text: str, pattern: str) -> list[tuple[float, float]]:
    """Return (size, nanoseconds a message) of all lines whose name fits the pattern, by size."""
    found = re.findall(LINE.format(pattern), text, flags=re.MULTILINE)
    return sorted((float(size.replace(",", "")), float(cost.replace(",", ""))) for size, cost in found)


def draw(text: str, place: Path) -> None:
    """Draw both panels."""
    from matplotlib.figure import Figure

    one = re.search(LINE.format("S, 1 pool"), text, flags=re.MULTILINE)
    families = [(points(text, pattern), label, colour) for pattern, label, colour in FAMILIES]
    deep = points(text, rf"a message on {NUMBER} resting orders")
    if one is None or not deep or not all(found for found, _, _ in families):
        raise SystemExit("this is not the output of bench_matching.py")
    line: dict[str, Any] = {"marker": "o", "markersize": 4}
    with look():
        figure = Figure(figsize=(style.WIDTH_IN, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for found, label, colour in families:
            sizes, costs = zip(*found, strict=True)
            left.plot(sizes, costs, color=colour, label=label, **line)
        left.plot([1], [float(one[1].replace(",", ""))], color=style.BLACK, label="one pool", **line)
        left.set_title("Cost against pools")
        left.set_xlabel("pools")
        left.set_ylabel("CPU time a message [ns]")
        left.legend()
        sizes, costs = zip(*deep, strict=True)
        right.plot(sizes, costs, color=style.GREEN, **line)
        right.set_title("Cost against depth")
        right.set_xlabel("orders at rest, one pool")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
        place.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(place, metadata={"Date": None, "Creator": "sunshare-sim"})


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path, help="what bench_matching.py printed")
    parser.add_argument("figure", type=Path, help="file to write")
    options = parser.parse_args()
    draw(options.output.read_text(encoding="utf-8"), options.figure)


if __name__ == "__main__":
    main()

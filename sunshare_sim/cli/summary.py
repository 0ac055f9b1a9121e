"""Put a finished run into words: the key figures, what made it, and where its files lie."""

import json
import math
from collections.abc import Iterable
from typing import Any

from sunshare_sim.results.run import CARD, Run, format_value


def summary(run: Run) -> str:
    """Return the leading key figures and the folder."""
    return "\n".join([kpi_table(run, CARD), "", f"results: {run.folder}", *_figure_line(run)])


def full_report(run: Run) -> str:
    """Return all key figures, the provenance and the files."""
    manifest = run.manifest
    facts = [(key.replace("_", " "), manifest[key]) for key in ("scenario", "scenario_hash", "seed", "state")]
    facts += [
        (key, value)
        for key, value in manifest.get("environment", {}).items()
        if key in {"python", "platform"}
    ]
    version = manifest.get("environment", {}).get("versions", {}).get("sunshare-sim")
    facts += [("sunshare-sim", version)] if version else []
    facts += [("source", source) for source in manifest.get("sources", [])]
    files = [(file, f"{entry['bytes']:,} bytes") for file, entry in manifest["files"].items()]
    return "\n".join(
        [
            kpi_table(run),
            "",
            *columns(facts),
            "",
            f"files in {run.folder}",
            *columns(files),
            *_figure_line(run),
        ]
    )


def kpi_table(run: Run, names: Iterable[str] | None = None) -> str:
    """Return key figures, one a line: what it is, and its value with its unit."""
    currency = run.scenario.tariff.currency
    kpis = run.kpis.set_index("name")
    wanted = [name for name in names or kpis.index if name in kpis.index]
    return "\n".join(
        columns(
            (
                str(kpis["description"][name]),
                format_value(kpis["value"][name], str(kpis["unit"][name]), currency),
            )
            for name in wanted
        )
    )


def phase_table(run: Run) -> str:
    """Return the time spent in each phase of the slots."""
    seconds: dict[str, float] = run.manifest.get("environment", {}).get("seconds_by_phase", {})
    total = sum(seconds.values()) or 1.0
    rows = [(phase, f"{spent:.3f} s  {100 * spent / total:3.0f} %") for phase, spent in seconds.items()]
    return "\n".join(["", "time by phase", *columns(rows)])


def as_object(run: Run) -> str:
    """Return folder, key figures and manifest as one JSON object; a figure that does not exist is null."""
    kpis = run.kpis
    values = {
        str(name): None if math.isnan(value) else float(value)
        for name, value in zip(kpis["name"], kpis["value"], strict=True)
    }
    manifest = {key: value for key, value in run.manifest.items() if key != "files"}
    return json.dumps({"folder": str(run.folder), "kpis": values, "manifest": manifest}, ensure_ascii=False)


def columns(rows: Iterable[tuple[str, Any]]) -> list[str]:
    """Return rows as lines of two columns.

    >>> columns([("seed", 1), ("state", "complete")])
    ['seed   1', 'state  complete']
    """
    pairs = [(name, str(value)) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{name:<{width}}  {value}" for name, value in pairs]


def _figure_line(run: Run) -> list[str]:
    folder = run.folder / "figures"
    return [f"figures: {folder}"] if folder.is_dir() else []

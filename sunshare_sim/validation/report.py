"""The page of validation figures: every target beside what the laboratory gives, in one table."""

from collections.abc import Callable, Sequence
from typing import Final

from sunshare_sim.validation.laboratory import conduct
from sunshare_sim.validation.targets import Check, Finding, checks, judge

MEASURES: Final = {
    "efficiency": "efficiency [%]",
    "alpha": "Smith's alpha [%]",
    "mean_price": "mean price [ticks]",
    "trades": "trades a period",
}
INTRODUCTION: Final = """# Validation of traders and market

Written by `python -m sunshare_sim.validation`; do not edit. The same order book and the same strategies as in a run
trade the classical experiments: markets A, B and E of `sunshare_sim/validation/markets.py`, one unit a trader and
period, whole-number prices, one trader activated at random at a time.

* **P1** single standing quotes that must be improved, cleared by a trade. **P2** full order book, one order a trader.
  **P3** open outcry: a random willing trader takes a shout or it vanishes; 200 in vain end the period.
* *rules*: an independent implementation of the same rules, 3 000 periods. *BSE*: unmodified Bristol Stock Exchange
  traders, 30 sessions of 10 periods. *identity*: exact by arithmetic. No figure is quoted from a paper not itself read.
* Ours: mean and 95 % confidence interval over sessions. Tolerance: three standard errors of the difference, both
  samples counted, plus what is allowed for a stated reason.
* Order of activation: uniformly random, seeded; all figures hold for that order only.
"""


def investigate(selected: Sequence[Check], notice: Callable[[str], None] | None = None) -> list[Finding]:
    """Run the experiments one after another and hold them to their targets."""
    findings: list[Finding] = []
    for check in selected:
        if notice is not None:
            notice(check.title)
        findings += judge(check, conduct(check.experiment))
    return findings


def page(findings: Sequence[Finding]) -> str:
    """Return the findings as a page of Markdown."""
    rows = [
        "| Experiment | Measure | Reference | Source | Ours | Tolerance | Holds |",
        "|---|---|---|---|---|---|---|",
    ]
    for finding in findings:
        target = finding.target
        day = "" if target.day is None or finding.check.experiment.days == 1 else f", day {target.day + 1}"
        rows.append(
            f"| {finding.check.title} | {MEASURES[target.measure]}{day} "
            f"| {'>= ' if target.at_least else ''}{target.reference:.4g} | {target.source} "
            f"| {finding.mean:.2f} ± {finding.half_width:.2f} | {finding.tolerance:.2f} "
            f"| {'yes' if finding.holds else '**no**'} |"
        )
    reasons = sorted({finding.target.why for finding in findings if finding.target.why})
    allowed = "\n".join(f"* {reason}" for reason in reasons)
    held = sum(finding.holds for finding in findings)
    total = f"{held} of {len(findings)} figures hold."
    table = "\n".join(rows)
    return f"{INTRODUCTION}\n{total}\n\n{table}\n\nAllowed beyond chance, because:\n\n{allowed}\n"


def everything(
    scale: float = 1.0, seed: int = 1, notice: Callable[[str], None] | None = None
) -> list[Finding]:
    """Run all experiments and return the findings."""
    return investigate(checks(scale=scale, seed=seed), notice)

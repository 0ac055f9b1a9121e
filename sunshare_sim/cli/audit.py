"""What `sunshare verify` says: the verdict, one home's bill line by line, proofs of its trades."""

import json
from pathlib import Path

from sunshare_sim.ledger.verify import Line, household_bill, trade_proofs, verify
from sunshare_sim.units import MICRO


def verdict(run: Path, head: str | None) -> str:
    """Verify a run and return what was proved.

    Raises
    ------
    LedgerError
        Naming the first thing that is wrong.
    """
    found = verify(run, head=head)
    used, fed_in = found.consumed / MICRO, found.fed_in / MICRO
    return f"""{run}: holds
  {found.blocks} blocks, {found.slots} slots, {found.trades} trades, {found.failed} of them failed
  energy: {found.minted / MICRO:,.6f} kWh from meters = {used:,.6f} used by buyers + {fed_in:,.6f} fed into the grid
  money in all accounts: {found.money / MICRO:,.6f}, as funded
  head {found.head}"""


def bill_text(run: Path, household: int) -> str:
    """Return a home's bill as a table, a line a slot, with the sums below."""
    lines = household_bill(run, household)
    sums = [sum(column) for column in zip(*lines, strict=True)]
    rows = [" ".join(f"{name:>13}" for name in Line._fields)]
    rows += [
        " ".join([f"{line.slot:13d}", *(f"{value / MICRO:13.6f}" for value in line[1:])]) for line in lines
    ]
    shown = (
        "" if name.endswith("price") else f"{value / MICRO:.6f}"
        for name, value in zip(Line._fields, sums, strict=True)
    )
    _, *totals = shown
    rows.append(" ".join([f"{'sum':>13}", *(f"{value:>13}" for value in totals)]))
    return "\n".join(rows)


def proof_text(run: Path, household: int) -> str:
    """Return the proofs of a home's trades as JSON."""
    return json.dumps(list(trade_proofs(run, household)), indent=1) + "\n"

"""What `sunshare verify` says: the verdict, one home's bill line by line, proofs of its trades."""

import json
from pathlib import Path

from sunshare_sim.errors import LedgerError
from sunshare_sim.ledger.billing import Bills
from sunshare_sim.ledger.merkle import root_from_path
from sunshare_sim.ledger.verify import Line, household_bill, trade_proofs, verify
from sunshare_sim.studies import joined_ledger
from sunshare_sim.studies.joined_ledger import is_joined
from sunshare_sim.units import MICRO


def verdict(run: Path, head: str | None, household: int | None = None) -> str:
    """Verify a run and return what was proved, with the bill of a home if one is asked for.

    Raises
    ------
    LedgerError
        Naming the first thing that is wrong.
    """
    if is_joined(run):
        whole = joined_ledger.verdict(run, head)
        if household is None:
            return whole
        folder, row, number = joined_ledger.place_of(run, household)
        return "\n".join(
            [whole, f"home {household} is home {row} of substation {number}:", verdict(folder, None, row)]
        )
    found = verify(run, head=head)
    used, fed_in = found.consumed / MICRO, found.fed_in / MICRO
    text = f"""{run}: holds
  {found.blocks} blocks, {found.slots} slots, {found.trades} trades, {found.failed} of them failed
  energy: {found.minted / MICRO:,.6f} kWh from meters = {used:,.6f} used by buyers + {fed_in:,.6f} fed into the grid
  money in all accounts: {found.money / MICRO:,.6f}, as funded
  head {found.head}"""
    if household is None:
        return text
    lines = bill_text(run, household)
    return "\n".join([text, lines, total_text(found.bills, household), proof_lines(run, household)])


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


def total_text(bills: Bills, household: int) -> str:
    """Return what a home's bill of the whole run consists of, a line each."""
    amounts = {name: int(column[household]) / MICRO for name, column in bills._asdict().items()}
    return "\n".join(f"{name:>24} {amount:15.6f}" for name, amount in amounts.items())


def proof_lines(run: Path, household: int) -> str:
    """Return, for each of a home's trades, where it stands in the chain, its path to the block's root checked."""
    rows = []
    try:
        for proof in trade_proofs(run, household):
            receipt, header = proof["receipt"], bytes.fromhex(proof["header"])
            path = [(side, bytes.fromhex(sibling)) for side, sibling in proof["path"]]
            root = root_from_path(bytes.fromhex(proof["leaf"]), path)
            holds = "holds" if root == header[64:96] else "does NOT hold"
            number = int.from_bytes(header[:8], "little")
            rows.append(
                f"proof: slot {receipt['slot']}, trade {receipt['index']} in block {number},"
                f" {len(path)} hashes to the root {root.hex()}: {holds}"
            )
    except LedgerError as error:  # one digest a block: nothing to prove a single trade by
        return str(error)
    return "\n".join(rows) if rows else "no trades to prove"


def proof_text(run: Path, household: int) -> str:
    """Return the proofs of a home's trades as JSON."""
    if is_joined(run):
        run, household, _ = joined_ledger.place_of(run, household)
    return json.dumps(list(trade_proofs(run, household)), indent=1) + "\n"

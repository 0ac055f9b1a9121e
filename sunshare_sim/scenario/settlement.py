"""The section `settlement`: accounts and blocks."""

from typing import Literal

from sunshare_sim.scenario.base import Section, field
from sunshare_sim.scenario.certificates import Certificates


class Settlement(Section):
    """Say how trades are settled on the ledger."""

    initial_balance: float = field(
        10_000.0, "what each household's account is funded with", unit="currency", ge=0, le=1e9
    )
    block_slots: int = field(1, "slots whose receipts share a block", unit="slot", ge=1, le=10_000)
    block_interval_ms: int = field(400, "time between blocks", unit="ms", ge=1, le=86_400_000)
    block_trades: int = field(0, "most trades in a block; 0 for no limit", unit="1", ge=0, le=1_000_000)
    audit: Literal["trade", "block", "none"] = field(
        "trade",
        "a proof for each trade, one digest a block, or nothing sealed (then `verify` cannot check the run)",
    )
    gas_price: float = field(
        0.0, "price of a million gas, for the cost of blocks; on no bill", unit="currency", ge=0, le=1e6
    )
    signature: Literal["ed25519", "ml-dsa-44"] = field("ed25519", "how blocks are signed")
    authorities: int = field(1, "how many sign blocks in turn; 0 for unsigned blocks", unit="1", ge=0, le=5)
    certificates: Certificates = field(Certificates(), "micro carbon credits for renewable energy")

"""The section `settlement`: accounts and blocks."""

from typing import Literal

from sunshare_sim.scenario.base import Section, field


class Settlement(Section):
    """Say how trades are settled on the ledger."""

    initial_balance: float = field(
        10_000.0, "what each household's account is funded with", unit="currency", ge=0, le=1e9
    )
    block_slots: int = field(1, "slots whose receipts share a block", unit="slot", ge=1, le=10_000)
    block_interval_ms: int = field(400, "time between blocks", unit="ms", ge=1, le=86_400_000)
    block_trades: int = field(0, "most trades in a block; 0 for no limit", unit="1", ge=0, le=1_000_000)
    audit: Literal["trade", "block"] = field("trade", "a proof for each trade, or one digest a block")
    signature: Literal["ed25519", "ml-dsa-44"] = field("ed25519", "how blocks are signed")
    authorities: int = field(1, "how many sign blocks in turn; 0 for unsigned blocks", unit="1", ge=0, le=5)

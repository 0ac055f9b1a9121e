"""Twin of `contracts/SunShareSettlement.sol`: the same checks in the same order, in unbounded-looking 256-bit words.

This is the scalar truth, one call at a time, with addresses as integers; `settlement.Ledger` is the fast path for whole
slots on int64 arrays. Both are tested against each other, and this one against the compiled contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from sunshare_sim.ledger._settlement import NO_CREDITS, NO_MONEY, SETTLED
from sunshare_sim.ledger.erc20 import NOBODY, EnergyToken, Erc20
from sunshare_sim.ledger.escrow import OrderDesk
from sunshare_sim.ledger.words import Reverted, add, transaction

ADMIN_ROLE: Final = 0
PAUSER_ROLE: Final = 0x65D7A28E3265B37A6474929F336521B332C1681B933F6CB9F3376673440D862A  # keccak-256 of its name
UNAUTHORIZED: Final = "Unauthorized: Only SunShare Engine can execute"
REASONS: Final = ("", "Insufficient fiat balance", "Insufficient energy credits")  # by status of a trade

"""Money and energy credits that can be re-checked: the Python twin of the settlement contract, its blocks, the bills.

`settlement` holds the balances and moves them, `chain` seals what was moved into blocks, `billing` writes each home's
bill, `audit` recomputes the chain from files alone. Nothing here knows how a market or a meter works.
"""

"""Random operations, aimed at the edges: exact instants and balances, sums around 2**256, callers without a right."""

from typing import NamedTuple

from sunshare_sim.ledger.contract import ADMIN_ROLE, PAUSER_ROLE, TradeCall
from sunshare_sim.ledger.words import LARGEST_WORD as MAX

ADMIN, ORACLE, OPERATOR, ROGUE = 0xAD, 0x0AC1E, 0x09, 0xBAD
HOMES = (0x11, 0x12, 0x13, 0x14)
PEOPLE = (*HOMES, OPERATOR, ADMIN, ORACLE, ROGUE)
START = 1_800_000_000
SETTLEMENT, TOKEN, COIN = "SunShareSettlement", "EnergyToken", "TestCoin"


class Operation(NamedTuple):
    """One call: who calls which contract's function with what, and when."""

    contract: str
    function: str
    sender: int
    arguments: tuple
    now: int


# Function of the contract -> method of the twin, and how often it is drawn.
TWINS = {
    (SETTLEMENT, "fund"): ("fund", 8), (SETTLEMENT, "withdraw"): ("withdraw", 4),
    (SETTLEMENT, "registerInjection"): ("register_injection", 9), (SETTLEMENT, "deliver"): ("deliver", 4),
    (SETTLEMENT, "tokenize"): ("tokenize", 4), (SETTLEMENT, "redeem"): ("redeem", 4),
    (SETTLEMENT, "settleTrade"): ("settle_trade", 10), (SETTLEMENT, "settleBatch"): ("settle_batch", 5),
    (SETTLEMENT, "settleBatchSkipping"): ("settle_batch_skipping", 5),
    (SETTLEMENT, "createOrder"): ("create_order", 14), (SETTLEMENT, "matchOrders"): ("match_orders", 14),
    (SETTLEMENT, "cancelOrder"): ("cancel_order", 4), (SETTLEMENT, "expireOrder"): ("expire_order", 5),
    (SETTLEMENT, "setOracle"): ("set_oracle", 2), (SETTLEMENT, "pause"): ("pause", 1),
    (SETTLEMENT, "unpause"): ("unpause", 2), (SETTLEMENT, "grantRole"): ("grant_role", 1),
    (SETTLEMENT, "revokeRole"): ("revoke_role", 1), (SETTLEMENT, "renounceRole"): ("renounce_role", 1),
    (TOKEN, "mint"): ("mint", 1), (TOKEN, "redeem"): ("redeem", 1), (TOKEN, "burn"): ("burn", 2),
    (TOKEN, "burnFrom"): ("burn_from", 2), (TOKEN, "transfer"): ("transfer", 3),
    (TOKEN, "approve"): ("approve", 2), (TOKEN, "transferFrom"): ("transfer_from", 3),
    (COIN, "mint"): ("mint", 3), (COIN, "approve"): ("approve", 4), (COIN, "transfer"): ("transfer", 1),
}  # fmt: skip
KINDS = list(TWINS)
WEIGHTS = [weight for _, weight in TWINS.values()]


class Generator:
    """Draw the next operation from the state of the twins, `world`.

    A sequence is `huge` when its amounts may come near 2**256; others stay modest, so that most calls succeed.
    """

    def __init__(self, rng, world):
        self.rng, self.world = rng, world
        self.huge = rng.random() < 0.25
        self.now = START

    def draw(self):
        self.now += self.rng.choice((0, 0, 0, 1, 60))
        contract, function = self.rng.choices(KINDS, WEIGHTS)[0]
        if self.world.settlement.storage["_paused"] and self.rng.random() < 0.12:
            contract, function = SETTLEMENT, "unpause"
        now = self.now
        if function in ("matchOrders", "expireOrder", "cancelOrder") and self.rng.random() < 0.4:
            expiries = [self.order(each, "expiry") for each in self.active()]
            first = min((each for each in expiries if each < 2**40), default=now)
            now = first + self.rng.choice((-1, 0, 1))
        self.moment = now
        sender, arguments = getattr(self, f"_{function}")(contract)
        return Operation(contract, function, sender, arguments, now)

    # ---- draws

    def amount(self, *pivots):
        """Return a number at, just beside or far from one of the pivots."""
        draw, rng = self.rng.random(), self.rng
        pivot = rng.choice(pivots) if pivots else 10**6
        if draw < 0.03:
            return 0
        if draw < 0.22:
            return min(max(pivot + rng.choice((-1, 0, 0, 1)), 0), MAX)
        if draw < 0.8:
            return rng.randint(1, max(1, min(pivot, 10**9)))
        if self.huge:
            sums = (MAX - pivot, MAX - pivot + 1, MAX - pivot - 1, MAX, MAX // 2, MAX // 2 + 1)
            return min(max(rng.choice(sums), 0), MAX)
        return rng.randint(1, 10**7)

    def home(self):
        return self.rng.choice(HOMES) if self.rng.random() < 0.96 else self.rng.choice((0, *PEOPLE))

    def holder(self, balance):
        """Return someone who has some, if there is anyone."""
        rich = [each for each in HOMES if balance(each)]
        return self.rng.choice(rich) if rich and self.rng.random() < 0.85 else self.home() or ROGUE

    def oracle(self):
        real = self.world.settlement.storage["platformOracle"]
        return real if self.rng.random() < 0.93 else self.rng.choice(PEOPLE)

    def admin(self, role):
        holders = [each for each in PEOPLE if self.world.settlement.has_role(role, each)]
        return self.rng.choice(holders) if holders and self.rng.random() < 0.7 else self.rng.choice(PEOPLE)

    def order(self, number, field):
        return self.world.settlement.storage["orders", number, field]

    def active(self, side=None):
        count = self.world.settlement.storage["orderCount"]
        return [
            each
            for each in range(max(0, count - 40), count)
            if self.order(each, "status") == 1 and side in (None, self.order(each, "side"))
        ]

    def number(self, side=None):
        """Return an order's number: mostly of a live one."""
        live, count = self.active(side), self.world.settlement.storage["orderCount"]
        if live and self.rng.random() < 0.93:
            return self.rng.choice(live)
        return self.rng.choice((0, count, max(count - 1, 0), self.rng.randint(0, count), MAX))

    # ---- one method a function: return sender and arguments

    def _fund(self, _):
        coin, s = self.world.coin, self.world.settlement
        payer = self.holder(coin.balance_of)
        account = payer if self.rng.random() < 0.6 else self.home()
        held = coin.balance_of(payer)
        return payer, (account, self.amount(held, coin.allowance(payer, s.address), MAX - s.cash(account)))

    def _withdraw(self, _):
        sender = self.holder(self.world.settlement.cash)
        return sender, (self.amount(self.world.settlement.cash(sender)),)

    def _registerInjection(self, _):  # noqa: N802
        room = MAX - self.world.settlement.storage["totalInjected"]
        reading = self.rng.choice((self.rng.getrandbits(256), self.rng.randint(0, 60)))
        return self.oracle(), (reading, self.home(), self.amount(room if self.huge else 10**7))

    def _deliver(self, _):
        home = self.holder(self.world.settlement.credits)
        held = self.world.settlement.credits(home)
        consumed = self.amount(held)
        rest = max(held - consumed, 0)
        return self.oracle(), (
            home,
            consumed,
            self.amount(rest, MAX - consumed) if self.rng.random() < 0.7 else 0,
        )

    def _tokenize(self, _):
        sender = self.holder(self.world.settlement.credits)
        return sender, (self.amount(self.world.settlement.credits(sender)),)

    def _redeem(self, contract):
        sender = self.holder(self.world.token.balance_of)
        amount = self.amount(self.world.token.balance_of(sender))
        return sender, (amount,) if contract == SETTLEMENT else (self.home(), amount)

    def trade(self):
        s = self.world.settlement
        buyer, seller = self.holder(s.cash), self.holder(s.credits)
        cost = self.amount(s.cash(buyer))
        rest = max(s.cash(buyer) - cost, 0)
        wheeling = self.rng.choice((0, 1, rest, rest + 1, MAX - cost, min(MAX - cost + 1, MAX)))
        if self.rng.random() < 0.6:
            wheeling = self.rng.randint(0, 1000)
        return TradeCall(buyer, seller, self.amount(s.credits(seller)), cost, wheeling)

    def _settleTrade(self, _):  # noqa: N802
        return self.oracle(), tuple(self.trade())[:4]

    def _settleBatch(self, _):  # noqa: N802
        trades = [self.trade() for _ in range(self.rng.randint(0, 5))]
        if trades and self.rng.random() < 0.3:  # the same again: enough once is not enough twice
            trades.append(trades[-1])
        if self.rng.random() < 0.5:
            trades = [t._replace(cost=t.cost // 8, energy=t.energy // 8) for t in trades]
        return self.oracle(), (tuple(trades),)

    _settleBatchSkipping = _settleBatch  # noqa: N815

    def _createOrder(self, _):  # noqa: N802
        s, side = self.world.settlement, self.rng.randint(0, 1)
        sender = self.holder(s.cash if side else s.credits)
        price = self.rng.choice((1, 10**5, 10**6 - 1, 10**6, 10**6 + 1, self.rng.randint(1, 3 * 10**6)))
        held = s.cash(sender) * 10**6 // price if side else s.credits(sender)
        energy = self.amount(min(held, MAX), min(held, MAX) // 3)
        if self.rng.random() < 0.04:
            price = self.rng.choice((0, MAX, MAX // max(energy, 1), MAX // max(energy, 1) + 1))
        later = self.moment + self.rng.randint(2, 4000)
        expiry = later if self.rng.random() < 0.9 else self.moment + self.rng.choice((-1, 0, 1))
        return sender, (side, energy, min(price, MAX), expiry)

    def _matchOrders(self, _):  # noqa: N802
        bid, ask = self.number(1), self.number(0)
        if self.rng.random() < 0.6:  # a pair that fits, if there is one
            live = [
                (b, a)
                for b in self.active(1)
                for a in self.active(0)
                if self.order(b, "owner") != self.order(a, "owner")
                and self.order(b, "price") >= self.order(a, "price")
            ]
            bid, ask = self.rng.choice(live) if live else (bid, ask)
        if self.rng.random() < 0.02:
            bid, ask = ask, bid
        left = [self.order(each, "remaining") for each in (bid, ask)]
        return self.oracle(), (bid, ask, self.amount(min(left), min(left), max(left)))

    def _cancelOrder(self, _):  # noqa: N802
        number = self.number()
        return (self.order(number, "owner") or ROGUE) if self.rng.random() < 0.8 else self.home() or ROGUE, (
            number,
        )

    def _expireOrder(self, _):  # noqa: N802
        return self.rng.choice(PEOPLE), (self.number(),)

    def _setOracle(self, _):  # noqa: N802
        return self.admin(ADMIN_ROLE), (self.rng.choice((0, ORACLE, ORACLE, ADMIN)),)

    def _pause(self, _):
        return self.admin(PAUSER_ROLE), ()

    _unpause = _pause

    def _grantRole(self, _):  # noqa: N802
        role = self.rng.choice((PAUSER_ROLE, PAUSER_ROLE, ADMIN_ROLE, 7))
        return self.admin(ADMIN_ROLE), (role, self.rng.choice(PEOPLE))

    _revokeRole = _grantRole  # noqa: N815

    def _renounceRole(self, _):  # noqa: N802
        sender = self.rng.choice(PEOPLE)
        return sender, (self.rng.choice((PAUSER_ROLE, 7)), sender if self.rng.random() < 0.7 else ROGUE)

    def tokens(self, contract):
        return self.world.coin if contract == COIN else self.world.token

    def _mint(self, contract):
        room = MAX - self.tokens(contract).total_supply
        return self.rng.choice(PEOPLE), (self.home(), self.amount(room if self.huge else 10**9))

    def _burn(self, contract):
        sender = self.holder(self.tokens(contract).balance_of)
        return sender, (self.amount(self.tokens(contract).balance_of(sender)),)

    def _burnFrom(self, contract):  # noqa: N802
        sender, (owner, _, amount) = self._transferFrom(contract)
        return sender, (owner, amount)

    def _transfer(self, contract):
        sender = self.holder(self.tokens(contract).balance_of)
        return sender, (self.home(), self.amount(self.tokens(contract).balance_of(sender)))

    def _approve(self, contract):
        if contract == COIN:
            spender, amount = self.world.settlement.address, self.rng.choice((MAX, MAX, self.amount(10**9)))
        else:
            spender, amount = self.home(), self.rng.choice((MAX, self.amount(10**7), self.amount(10**7)))
        return self.home() or ROGUE, (spender, amount)

    def _transferFrom(self, contract):  # noqa: N802
        tokens = self.tokens(contract)
        owner, spender = self.holder(tokens.balance_of), self.home() or ROGUE
        allowed = [p for p in PEOPLE if tokens.allowance(owner, p)]
        spender = self.rng.choice(allowed) if allowed and self.rng.random() < 0.8 else spender
        amount = self.amount(tokens.balance_of(owner), tokens.allowance(owner, spender))
        return spender, (owner if self.rng.random() < 0.97 else 0, self.home(), amount)

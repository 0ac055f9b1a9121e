"""The obvious twin of the ledger and the bills: dictionaries, Python integers, one trade after the other."""

MICRO = 10**6


class ReferenceLedger:
    """Balances in two dictionaries, unbounded integers as in the contract (uint256 is never reached)."""

    def __init__(self, households, cash=0):
        self.households = households
        self.operator = households
        self.cash = dict.fromkeys(range(households + 4), 0)
        self.cash.update(dict.fromkeys(range(households), cash))
        self.credits = dict.fromkeys(range(households + 4), 0)

    def mint(self, home, energy):
        self.credits[home] += energy

    def settle(self, buyer, seller, energy, cost, wheeling):
        """Return the contract's reason for failing, or an empty string."""
        if self.cash[buyer] < cost + wheeling:
            return "Insufficient fiat balance"
        if self.credits[seller] < energy:
            return "Insufficient energy credits"
        self.cash[buyer] -= cost + wheeling
        self.cash[seller] += cost
        self.cash[self.operator] += wheeling
        self.credits[seller] -= energy
        self.credits[buyer] += energy
        return ""

    def deliver(self, net):
        """Burn all credits; return what was consumed and what was fed in."""
        consumed = fed_in = 0
        for home in range(self.households):
            used = min(self.credits[home], max(0, net[home]))
            consumed += used
            fed_in += self.credits[home] - used
            self.credits[home] = 0
        return consumed, fed_in


def pay(energy, price):
    return energy * price // MICRO


def reference_bills(slots, homes, parts):
    """Return each home's bill, the retail amount included; `slots` holds (net, settled trades, retail, feed_in)."""
    bills = []
    for home in range(homes):
        retail = feed_in = purchases = sales = wheeling = imported = exported = alone = 0
        for net, trades, retail_price, feed_in_price in slots:
            bought = sum(e for b, _, e, _, _ in trades if b == home)
            sold = sum(e for _, s, e, _, _ in trades if s == home)
            rest = net[home] - bought + sold
            imported += max(rest, 0)
            exported += max(-rest, 0)
            retail += pay(max(rest, 0), retail_price)
            feed_in += pay(max(-rest, 0), feed_in_price)
            alone += pay(max(net[home], 0), retail_price) - pay(max(-net[home], 0), feed_in_price)
            purchases += sum(pay(e, p) for b, _, e, p, _ in trades if b == home)
            sales += sum(pay(e, p) for _, s, e, p, _ in trades if s == home)
            wheeling += sum(pay(e, c) for b, _, e, _, c in trades if b == home)
        network, levies, vat, standing = parts
        tax = retail * vat // (MICRO + vat)
        amounts = {"network": imported * network // MICRO, "levies": imported * levies // MICRO, "tax": tax}
        bills.append(
            {
                "import_energy": imported,
                "export_energy": exported,
                "supply": retail - sum(amounts.values()),
                **amounts,
                "standing": standing,
                "feed_in": -feed_in,
                "purchases": purchases,
                "sales": -sales,
                "wheeling": wheeling,
                "total": retail + standing - feed_in + purchases - sales + wheeling,
                "counterfactual_total": alone + standing,
            }
        )
    return bills


def replay(events, operator):  # noqa: C901, PLR0912 -- one case an event
    """Return money, energy credits and energy tokens of every account from the contract's events alone."""
    from collections import Counter

    cash, stock, tokens, orders = Counter(), Counter(), Counter(), {}
    escrowed = False  # the next TradeExecuted tells of a match, whose balances are in escrow

    def close(number):
        side, owner, remaining, _, money = orders.pop(number)
        (cash if side else stock)[owner] += money if side else remaining

    for _, name, arguments in (each for each in events if each.contract != "TestCoin"):
        match name, arguments:
            case "Funded", (account, _, amount):
                cash[account] += amount
            case "Withdrawn", (account, amount):
                cash[account] -= amount
            case "InjectionRegistered", (_, home, amount):
                stock[home] += amount
            case "EnergyDelivered", (home, consumed, fed_in):
                stock[home] -= consumed + fed_in
            case "CreditsTokenized", (account, amount):
                stock[account] -= amount
            case "TokensRedeemed", (account, amount):
                stock[account] += amount
            case "Transfer", (old, new, amount):
                tokens[old] -= amount
                tokens[new] += amount
            case "WheelingPaid", (buyer, amount):
                cash[buyer] -= amount
                cash[operator] += amount
            case "OrderCreated", (number, owner, side, energy, price, _):
                money = pay(energy, price) if side else 0
                (cash if side else stock)[owner] -= money if side else energy
                orders[number] = [side, owner, energy, price, money]
            case "OrdersMatched", (bid, ask, energy, cost):
                for number in (bid, ask):
                    orders[number][2] -= energy
                orders[bid][4] -= cost
                stock[orders[bid][1]] += energy
                cash[orders[ask][1]] += cost
                for number in (bid, ask):
                    if not orders[number][2]:
                        close(number)
                escrowed = True
            case "OrderCancelled" | "OrderExpired", (number, _):
                close(number)
            case "TradeExecuted", (buyer, seller, energy, cost):
                if not escrowed:
                    cash[buyer] -= cost
                    cash[seller] += cost
                    stock[seller] -= energy
                    stock[buyer] += energy
                escrowed = False
    return cash, stock, tokens

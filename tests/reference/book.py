"""The order book, slow and obvious: a list of orders, linear search, the rules of the design one by one."""

from dataclasses import dataclass

BID, ASK = 1, -1


@dataclass
class Order:
    id: int
    owner: int
    side: int
    pool: int
    price: int
    quantity: int
    time: int
    expiry: float


class ReferenceBook:
    def __init__(self, charges=((0,),), *, pricing="ask", capacity=None, rate_limit=None):
        self.charges, self.pricing = charges, pricing
        self.capacity, self.rate_limit = capacity, rate_limit
        self.clear()

    def clear(self):
        self.orders, self.ids, self.clock, self.rejected = [], 0, 0, 0
        self.start_slot()

    def start_slot(self, capacity=None):
        self.capacity = capacity or self.capacity
        self.sent, self.used = {}, {}
        return self.sweep()

    def room(self, bid, ask):
        most = -1 if self.capacity is None else self.capacity[bid.pool][ask.pool]
        return float("inf") if most < 0 else most - self.used.get((bid.pool, ask.pool), 0)

    def surplus(self, bid, ask):
        """What is left of the bid after charge and ask; None where the pair may not trade."""
        charge = self.charges[bid.pool][ask.pool]
        return bid.price - charge - ask.price if charge >= 0 and self.room(bid, ask) > 0 else None

    def partners(self, order):
        """Return the resting orders that `order` may trade with at its limit, best first."""
        found = []
        for other in self.orders:
            bid, ask = (order, other) if order.side == BID else (other, order)
            surplus = self.surplus(bid, ask)
            if other.side != order.side and surplus is not None and surplus >= 0:
                found.append((-surplus, self.charges[bid.pool][ask.pool], other.time, other))
        return [other for *_, other in sorted(found, key=lambda entry: entry[:3])]

    def submit(self, owner, side, pool, price, quantity, *, tif="GTC", expiry=None):
        order_id, self.ids = self.ids, self.ids + 1
        if self.too_many(owner):
            return order_id, []
        never = float("inf") if expiry is None else expiry
        return order_id, self.arrive(Order(order_id, owner, side, pool, price, quantity, 0, never), tif)

    def too_many(self, owner):
        self.sent[owner] = self.sent.get(owner, 0) + 1
        over = self.rate_limit is not None and self.sent[owner] > self.rate_limit
        self.rejected += over
        return over

    def arrive(self, order, tif):
        order.time, self.clock = self.clock, self.clock + 1
        if tif == "FOK" and not self.fillable(order):
            return []
        fills = []
        while order.quantity and (partners := self.partners(order)):
            resting = partners[0]
            if resting.owner == order.owner:
                self.orders.remove(resting)
            else:
                bid, ask = (order, resting) if order.side == BID else (resting, order)
                fills.append(self.trade(bid, ask, resting))
        if order.quantity and tif == "GTC":
            self.orders.append(order)
        return fills

    def fillable(self, order):
        """Try on a copy of what each pool pair could give."""
        left = {}
        for other in self.partners(order):
            if other.owner != order.owner:
                bid, ask = (order, other) if order.side == BID else (other, order)
                left.setdefault(other.pool, [0, self.room(bid, ask)])[0] += other.quantity
        return sum(min(stock, room) for stock, room in left.values()) >= order.quantity

    def trade(self, bid, ask, resting):
        charge = self.charges[bid.pool][ask.pool]
        quantity = min(bid.quantity, ask.quantity, self.room(bid, ask))
        price = {
            "ask": ask.price,
            "resting": ask.price if resting is ask else bid.price - charge,
            "midpoint": (ask.price + bid.price - charge) // 2,
        }[self.pricing]
        pair = bid.pool, ask.pool
        self.used[pair] = self.used.get(pair, 0) + quantity
        for order in (bid, ask):
            order.quantity -= quantity
        self.orders = [order for order in self.orders if order.quantity]
        return (bid.id, ask.id, bid.owner, ask.owner, quantity, price, charge)

    def find(self, order_id):
        return next((order for order in self.orders if order.id == order_id), None)

    def cancel(self, order_id):
        order = self.find(order_id)
        if order:
            self.orders.remove(order)
        return order is not None

    def replace(self, order_id, *, price=None, quantity=None):
        order = self.find(order_id)
        if order is None or self.too_many(order.owner):
            return order_id, []
        price, quantity = price or order.price, quantity or order.quantity
        if price == order.price and quantity <= order.quantity:
            order.quantity = quantity
            return order_id, []
        self.orders.remove(order)
        order.price, order.quantity = price, quantity
        return order_id, self.arrive(order, "GTC")

    def expire(self, now):
        gone = [order for order in self.orders if order.expiry <= now]
        self.orders = [order for order in self.orders if order.expiry > now]
        return len(gone)

    def set_charges(self, charges):
        self.charges = charges
        return self.sweep()

    def sweep(self):
        fills = []
        while pairs := [
            (-surplus, self.charges[bid.pool][ask.pool], bid.time, ask.time, bid, ask)
            for bid in self.orders
            for ask in self.orders
            if bid.side == BID
            and ask.side == ASK
            and (surplus := self.surplus(bid, ask)) is not None
            and surplus >= 0
        ]:
            *_, bid, ask = min(pairs, key=lambda pair: pair[:4])
            resting = min(bid, ask, key=lambda order: order.time)
            if bid.owner == ask.owner:
                self.orders.remove(resting)
            else:
                fills.append(self.trade(bid, ask, resting))
        return fills

# ruff: noqa: PLR0913, PLR0917 -- kernels on many arrays
"""What a round sends to the book, as compiled loops over the homes: orders, new prices, withdrawals."""

from sunshare_sim.kernels import kernel
from sunshare_sim.units import IntArray


@kernel
def compose(
    arrival: IntArray,
    price: IntArray,
    quantity: IntArray,
    side: IntArray,
    pool: IntArray,
    met: IntArray,
    left: IntArray,
    allowed: IntArray,
    resting: IntArray,
    order_id: IntArray,
    orders: int,
    messages: IntArray,
) -> int:
    """Write the round's messages, one column each, in order of arrival; return how many they are.

    A home without a resting order sends one for what it wishes, as far as its first wish allows (`allowed`, set here)
    beyond what it has traded (`met` less `left`); one with a resting order names its new price, or withdraws it when it
    wishes for nothing. Rows of `messages` are the fields of `Events` but the last two, with 0 for submit, 1 for cancel,
    2 for replace; the last row is the size the order has when the message is sent.
    """
    count = 0
    for home in arrival:
        wish = quantity[home]
        if allowed[home] == 0:
            allowed[home] = wish
        rests = resting[home] > 0
        size = resting[home] if rests else min(wish, allowed[home] - (met[home] - left[home]))
        wants = wish > 0 and size > 0
        if not (wants or rests):
            continue
        kind = 0
        if rests:
            kind = 2 if wants else 1
        else:
            order_id[home] = orders
            orders += 1
        resting[home] = size if wants else 0
        messages[0, count] = kind
        messages[1, count] = order_id[home]
        messages[2, count] = home
        messages[3, count] = side[home]
        messages[4, count] = pool[home]
        messages[5, count] = price[home]
        messages[6, count] = size if kind == 0 else 0
        messages[7, count] = size
        count += 1
    return count


@kernel
def take_off(homes: IntArray, energy: IntArray, left: IntArray, resting: IntArray) -> None:
    """Take what homes have traded off what they have left and off what rests of their orders."""
    for fill in range(homes.size):
        home = homes[fill]
        left[home] -= energy[fill]
        resting[home] = max(resting[home] - energy[fill], 0)

import numpy as np
import pytest

from sunshare_sim.errors import OrderError
from sunshare_sim.market import ASK, BID, Events, OrderBook
from sunshare_sim.market._checks import column
from sunshare_sim.market.orders import CANCEL, SUBMIT


def everything(book):
    return (
        book.orders(),
        book._state.tolist(),
        book._family.tolist(),
        book._tops.tolist(),
        book._charges.tolist(),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", 0),
        ("side", 2),
        ("pool", -1),
        ("pool", 2),
        ("price", 0),
        ("price", -5),
        ("price", 4096),
        ("price", 1.5),
        ("price", float("nan")),
        ("price", "7"),
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 2**51),
        ("quantity", 2**70),
        ("quantity", None),
        ("owner", 0.5),
        ("expiry", 0.5),
        ("tif", "GTD"),
    ],
)
def test_bad_order_is_named_and_changes_nothing(field, value):
    book = OrderBook([[0, 1], [1, 0]])
    book.submit(0, ASK, 0, 10, 5)
    before = everything(book)
    order = {"owner": 1, "side": BID, "pool": 1, "price": 20, "quantity": 3, "tif": "GTC", "expiry": 4}
    name = "time in force" if field == "tif" else field
    with pytest.raises(OrderError, match=name):
        book.submit(**{**order, field: value})
    assert everything(book) == before
    columns = {key: [entry, entry, value if key == field else entry] for key, entry in order.items()}
    with pytest.raises(OrderError, match=rf"(row 2|another|numeric).*{name}|{name}.*(row 2|numeric)"):
        book.submit_many(**columns)
    assert everything(book) == before


def test_bad_batches_change_nothing():
    book = OrderBook()
    book.submit(0, ASK, 0, 10, 5)
    before = everything(book)
    good = [1, 1], [BID, BID], [0, 0], [10, 10], [1, 1]
    with pytest.raises(OrderError, match="price has another length"):
        book.submit_many(*good[:3], [10], good[4])
    with pytest.raises(OrderError, match="price is no column"):
        book.submit_many(*good[:3], [[10, 10]], good[4])
    for ragged in ([[12], [12, 12]], [[1], 2]):
        with pytest.raises(OrderError, match="price is no column"):
            book.submit_many(*good[:3], ragged, good[4])
    for wrong in (None, "x", 2**70, 1.5):
        with pytest.raises(OrderError, match="row 1"):
            book.submit_many(*good[:3], [10, wrong], good[4])
    with pytest.raises(OrderError, match="unknown time in force"):
        book.submit_many(*good, tif=np.array("GTC"))
    with pytest.raises(OrderError, match="tif has another length"):
        book.submit_many(*good, tif=["GTC"])
    with pytest.raises(OrderError, match="row 1: quantity"):
        book.submit_many(*good[:4], [2**50, 2**50 + 2**49])
    with pytest.raises(OrderError, match="row 1: order_id"):
        book.process(
            Events(*np.array([(SUBMIT, 0, 1, BID, 0, 10, 5, 0, 9), (CANCEL, 2, 0, 0, 0, 0, 0, 0, 0)]).T)
        )
    with pytest.raises(OrderError, match="row 0: kind"):
        book.process(Events(*np.array([(4, 0, 1, BID, 0, 10, 5, 0, 9)]).T))
    for wrong in (None, 3, "submit", Events(*[[0]] * 9)[:8], np.zeros((9, 1)), {"kind": [0]}):
        with pytest.raises(OrderError, match="no recorded stream"):
            book.process(wrong)
    for wrong in ({"price": 0}, {"quantity": 0}, {"price": 4096}, {"price": 2.5}):
        with pytest.raises(OrderError):
            book.replace(0, **wrong)
    assert everything(book) == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"charges": [[0, 1]]},
        {"charges": [0, 1]},
        {"charges": []},
        {"charges": [[0.5]]},
        {"charges": [[float("nan")]]},
        {"charges": [[0]], "capacity": [[1, 2], [3, 4]]},
        {"pricing": "mid"},
        {"price_levels": 1},
        {"price_levels": 10.5},
        {"rate_limit": 0},
        {"pricing": ["ask"]},
        {"pricing": {}},
        {"charges": [[0, None], [0, 0]]},
    ],
)
def test_bad_rules_are_refused(arguments):
    with pytest.raises(OrderError):
        OrderBook(**arguments)


def test_charges_keep_their_number_of_pools_and_are_copied():
    charges = np.zeros((2, 2), dtype=np.int64)
    book = OrderBook(charges)
    with pytest.raises(OrderError, match="not square"):
        book.set_charges([[0]])
    charges[:] = -1
    book.start_slot()
    assert book.charges.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("tif", [None, ["GTC"], 1, "gtc"])
def test_a_time_in_force_is_a_name(tif):
    book = OrderBook()
    before = everything(book)
    with pytest.raises(OrderError, match="time in force"):
        book.submit(0, BID, 0, 5, 1, tif=tif)
    many = tif if tif is None else [tif]
    with pytest.raises(OrderError, match="time in force"):
        book.submit_many([0], [BID], [0], [5], [1], tif=many)
    assert everything(book) == before


def test_columns_that_cannot_be_written_to_need_no_other_kernel():
    columns = [np.array([value, value]) for value in (1, BID, 0, 10, 5)]
    for each in columns:
        each.setflags(write=False)
    assert all(column("price", each).flags.carray for each in (*columns, np.arange(6)[::2]))
    book = OrderBook()
    book.submit_many(*columns)
    assert [order.price for order in book.orders()] == [10, 10]


@pytest.mark.parametrize("value", [np.array([5]), np.array(5.5), [5], object()])
def test_one_number_is_one_whole_number(value):
    book = OrderBook()
    book.submit(1, BID, 0, 5, 5)
    before = everything(book)
    for call in (
        lambda: book.submit(1, ASK, 0, value, 5),
        lambda: book.submit(1, ASK, 0, 9, 5, expiry=value),
        lambda: book.submit(value, ASK, 0, 9, 5),
        lambda: book.cancel(value),
        lambda: book.expire(value),
        lambda: book.replace(value, price=3),
    ):
        with pytest.raises(OrderError, match="no whole number"):
            call()
    assert everything(book) == before


def test_rows_of_charges_have_one_length():
    with pytest.raises(OrderError, match="not square"):
        OrderBook([[0], [0, 1]])
    with pytest.raises(OrderError, match="not square"):
        OrderBook().set_charges([[0], [0, 1]])

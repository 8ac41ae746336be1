"""`gridledger clear`: exact output, strict input."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from chaincode.energy.market.clear_command import main

DOCS = Path(__file__).resolve().parents[4] / "docs"
VECTORS = Path(__file__).resolve().parents[3] / "vectors"
GOLDEN_CASES = json.loads((VECTORS / "clearing-golden.json").read_text())["cases"]
ORDERS = [
    {"id": "b1", "side": "bid", "price": 200000, "qty": 1000, "seq": 0},
    {"id": "s1", "side": "offer", "price": 100000, "qty": 500, "seq": 1},
]


def run(text: str, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = main(argv, io.StringIO(text), out, err)
    return status, out.getvalue(), err.getvalue()


def output_of(text: str) -> dict[str, Any]:
    status, out, err = run(text)
    assert (status, err) == (0, "")
    cleared: dict[str, Any] = json.loads(out)
    return cleared


def book(orders: object = ORDERS, floor: object = 50000, cap: object = 300000) -> str:
    return json.dumps({"floor_price": floor, "cap_price": cap, "orders": orders})


def with_change(**changes: Any) -> str:
    return book([ORDERS[0], {**ORDERS[1], **changes}])


def test_prints_the_clearing_as_json() -> None:
    status, out, err = run(book(), "--rule", "crossing", "--k", "1/2", "--ration", "fifo")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "rule": "crossing",
        "price": 200000,
        "quantity": 500,
        "price_interval": [200000, 200000],
        "allocations": {"b1": 500, "s1": 500},
        "buyer_pays_utoken": {"b1": 100000},
        "seller_gets_utoken": {"s1": 100000},
        "total_utoken": 100000,
        "not_executable": [],
    }


@pytest.mark.parametrize("ration", ["fifo", "pro_rata"])
@pytest.mark.parametrize("case", GOLDEN_CASES, ids=lambda case: str(case["name"]))
def test_the_worked_cases(case: dict[str, Any], ration: str) -> None:
    given = {name: case[name] for name in ("floor_price", "cap_price", "orders")}
    status, out, err = run(json.dumps(given), "--ration", ration)
    assert (status, err) == (0, "")
    cleared = json.loads(out)
    expected = case["expected"][f"midpoint_{ration}"]
    assert {name: cleared[name] for name in expected} == expected
    assert cleared["price_interval"] == case["price_interval"]
    assert cleared["not_executable"] == case["not_executable"]


HOSPITAL = [
    {"id": "h", "side": "bid", "price": 120000, "qty": 600, "seq": 3, "priority": True},
    {"id": "b", "side": "bid", "price": 200000, "qty": 1000, "seq": 1, "preferred": ["pv-2"]},
    {"id": "s1", "side": "offer", "price": 90000, "qty": 500, "seq": 0, "source": ["pv-1"]},
    {"id": "s2", "side": "offer", "price": 90000, "qty": 500, "seq": 2, "source": "pv-2"},
]


def test_priority_is_served_first_at_the_regulated_price() -> None:
    options = ("--regulated-price", "100000", "--line-limit", "900")
    status, out, err = run(book(HOSPITAL), *options)
    assert (status, err) == (0, "")
    cleared = json.loads(out)
    first = cleared["regulated"]
    assert (first["price"], first["allocations"]) == (100000, {"h": 600, "s1": 500, "s2": 100})
    assert cleared["allocations"] == {"b": 300, "s2": 300}
    assert cleared["curtailed"] == 100


def test_wishes_break_ties_only() -> None:
    bids = [{**HOSPITAL[1], "qty": 400}]
    cleared = output_of(book(bids + HOSPITAL[2:]))
    assert cleared["allocations"] == {"b": 400, "s2": 400}
    dearer = {**HOSPITAL[3], "price": 90001}
    cleared = output_of(book([*bids, HOSPITAL[2], dearer]))
    assert cleared["allocations"] == {"b": 400, "s1": 400}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"priority": 1}, 'order "h": priority is 1, not a boolean'),
        ({"side": "offer"}, 'order "h": only a bid has priority'),
        ({"preferred": 7}, 'order "h": preferred is no text or list of texts'),
        ({"preferred": ["x"] * 11}, 'order "h": preferred has more than 10 names'),
    ],
)
def test_wrong_wishes_and_priorities_are_named(changes: dict[str, Any], reason: str) -> None:
    status, out, err = run(book([{**HOSPITAL[0], **changes}]), "--regulated-price", "100000")
    assert (status, out, err) == (2, "", f"gridledger clear: {reason}\n")


def test_priority_needs_a_price() -> None:
    status, out, err = run(book(HOSPITAL))
    assert (status, out) == (2, "")
    assert "--regulated-price" in err


def test_a_fixed_price_and_a_line_limit() -> None:
    options = ("--rule", "fixed_price", "--price", "150000", "--line-limit", "300")
    status, out, err = run(book(), *options)
    assert (status, err) == (0, "")
    cleared = json.loads(out)
    assert (cleared["price"], cleared["quantity"], cleared["curtailed"]) == (150000, 300, 200)
    assert cleared["excluded"] == []


@pytest.mark.parametrize(
    "options",
    [
        ("--rule", "fixed_price"),
        ("--price", "5"),
        ("--rule", "fixed_price", "--price", "-5"),
        ("--line-limit", "1.5"),
        ("--line-limit", "1" * 30),
    ],
)
def test_impossible_options_of_the_new_rules(options: tuple[str, ...]) -> None:
    status, out, err = run(book(), *options)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_no_trade_prints_null_price() -> None:
    status, out, _ = run(book([], None, None))
    assert status == 0
    result = json.loads(out)
    assert (result["price"], result["price_interval"], result["quantity"]) == (None, None, 0)


def test_average_bid_names_who_was_shut_out() -> None:
    orders = [*ORDERS, {"id": "s2", "side": "offer", "price": 200001, "qty": 5, "seq": 2}]
    status, out, _ = run(book(orders), "--rule=average_bid")
    result = json.loads(out)
    assert (status, result["price"], result["rule"]) == (0, 200000, "average_bid")
    assert result["excluded"] == [["s2", "offer above average price"]]


def test_k_may_be_given_as_decimal_or_whole_number() -> None:
    free = book([{**ORDERS[0], "qty": 500}, ORDERS[1]])
    prices = [json.loads(run(free, "--k", k)[1])["price"] for k in ("0", "0.25", "3/4", "1")]
    assert prices == [100000, 125000, 175000, 200000]


def test_help_is_shown_on_request() -> None:
    status, out, err = run("", "--help")
    assert (status, err) == (0, "")
    assert "--ration" in out


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (with_change(side="ask"), ['order "s1"', "side"]),
        (with_change(side=["bid"]), ['order "s1"', "side"]),
        (with_change(price=-1), ['order "s1"', "price is negative"]),
        (with_change(qty=-5), ['order "s1"', "qty is negative"]),
        (with_change(seq=-5), ['order "s1"', "seq is negative"]),
        (with_change(qty=1.5), ['order "s1"', "qty is 1.5, not a whole number"]),
        (with_change(qty=1.0), ['order "s1"', "not a whole number"]),
        (with_change(qty=True), ['order "s1"', "qty is True, not a whole number"]),
        (with_change(qty="500"), ['order "s1"', "not a whole number"]),
        (with_change(price=None), ['order "s1"', "not a whole number"]),
        (with_change(price=2**63), ['order "s1"', "greater than"]),
        (with_change(id="b1"), ['order "b1"', "id appears twice"]),
        (with_change(id=7), ["order 1", "id is missing or not a text"]),
        (with_change(id="a\nb", qty=-1), ['order "a\\nb"', "negative"]),
        (book([{k: v for k, v in ORDERS[0].items() if k != "seq"}]), ["b1", "seq is missing"]),
        (book([{k: v for k, v in ORDERS[0].items() if k != "id"}]), ["order 0", "id"]),
        (book([7]), ["order 0", "not an object"]),
        (book({"a": 1}), ["orders", "not a list"]),
        ('{"orders": []}', ["floor_price", "missing"]),
        (book(floor="low"), ["floor_price", "not a whole number"]),
        (book(floor=300001), ["floor_price 300001 is above cap_price 300000"]),
        ("", ["not JSON"]),
        ("[]", ["one object"]),
        ('{"floor_price": NaN, "cap_price": null, "orders": []}', ["NaN"]),
        ('{"floor_price": Infinity, "cap_price": null, "orders": []}', ["Infinity"]),
        ('{"orders": [], "orders": []}', ["the book", '"orders" appears twice']),
        (book().replace('"seq": 1', '"seq": 1, "qty": 9'), ['order "s1"', "appears twice"]),
        (book().replace("100000", "1" * 5000), ['order "s1"', "greater than"]),
        (book().replace("100000", "-" + "1" * 5000), ['order "s1"', "negative"]),
        (book().replace("100000", "1e3"), ['order "s1"', "not a whole number"]),
        (book().replace("100000", "1e999"), ['order "s1"', "not a whole number"]),
        ("[" * 100_000, ["nested too deeply"]),
        (book() + "x", ["not JSON"]),
    ],
)
def test_bad_input_is_named_on_one_line(text: str, names: list[str]) -> None:
    status, out, err = run(text)
    assert status == 2
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    for name in names:
        assert name in err


def test_more_orders_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaincode.energy.market.clear_input.ORDERS_MAX", 1)
    status, out, err = run(book())
    assert (status, out) == (2, "")
    assert "more than 1 orders: 2" in err


@pytest.mark.parametrize(
    "argv",
    [
        ("--rule", "vickrey"),
        ("--ration", "lottery"),
        ("--k", "1.5"),
        ("--k", "1/0"),
        ("--k", "1e-999999999"),
        ("--k", "-1/2"),
        ("--unknown",),
        ("book.json",),
    ],
)
def test_bad_options_are_named_on_one_line(argv: tuple[str, ...]) -> None:
    status, out, err = run(book(), *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_input_that_is_not_text_is_refused() -> None:
    reader = io.TextIOWrapper(io.BytesIO(b"\xff\xfe{"), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    assert main([], reader, out, err) == 2
    assert (out.getvalue(), err.getvalue()) == (
        "",
        "gridledger clear: the input is not UTF-8 text\n",
    )


def test_the_example_of_the_documents_is_one_file_and_clears_as_they_say() -> None:
    text = (DOCS / "order-book.json").read_text(encoding="utf-8")
    page = (DOCS / "market.md").read_text(encoding="utf-8")
    assert text in page
    cleared = output_of(text)
    assert (cleared["price"], cleared["quantity"]) == (90_000, 2_000)
    assert cleared["allocations"] == {"anna": 2_000, "boris": 1_500, "carla": 500}
    assert cleared["buyer_pays_utoken"] == {"boris": 135_000, "carla": 45_000}
    assert cleared["seller_gets_utoken"] == {"anna": 180_000}


def test_the_help_shows_an_input_that_is_accepted() -> None:
    status, shown, _ = run("", "--help")
    assert status == 0
    example = shown[shown.index('{"floor_price"') : shown.rindex("]}") + 2]
    assert output_of(example)["quantity"] == 1_500

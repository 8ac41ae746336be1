"""`gridledger clear`: one order book in as JSON, one clearing out as JSON.

The same rule the contract runs, without a network, so that anyone can check a listing by hand.
Input is read strictly: whole numbers only, no duplicate keys, no NaN, bounded size. Bad input
ends with exit status 2 and one line on standard error; standard output stays empty.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NoReturn, Protocol

from chaincode.energy.market.book import Order, Side
from chaincode.energy.market.clearing import MIDPOINT, RATIONS, ClearingResult, clear_book
from chaincode.energy.market.matching import RULES

DESCRIPTION = """\
Clears one order book without a network: the market's own rule. Reads one JSON object from
standard input, prints one; status 2 and one line when the input is wrong."""
EPILOG = """\
input (prices in micro-tokens per kWh, qty in Wh, seq: place in ledger order; null: no bound):
  {"floor_price": 40000, "cap_price": null, "orders": [
    {"id": "anna", "side": "offer", "price": 60000, "qty": 2000, "seq": 1},
    {"id": "boris", "side": "bid", "price": 150000, "qty": 1500, "seq": 2}]}
docs/order-book.json is an example, docs/market.md explains it."""
EXIT_OK = 0
EXIT_BAD_INPUT = 2
ORDERS_MAX = 1_000_000
NUMBER_MAX = 2**63 - 1
INPUT_CHARACTERS_MAX = 512 * 1024 * 1024
ID_CHARACTERS_MAX = 256
SHOWN_CHARACTERS_MAX = 60
_DIGITS_MAX = len(str(NUMBER_MAX))
_FRACTION = re.compile(r"\d{1,9}(/\d{1,9}|\.\d{1,9})?")


class TextReader(Protocol):
    """What is needed of standard input."""

    def read(self, size: int = ..., /) -> str: ...


class TextWriter(Protocol):
    """What is needed of standard output and standard error."""

    def write(self, text: str, /) -> object: ...


class BadInput(Exception):  # noqa: N818 - the field's word
    """The input breaks a rule; the text is one line that names the order and the reason."""


def main(argv: Sequence[str], stdin: TextReader, stdout: TextWriter, stderr: TextWriter) -> int:
    """Run the command with the arguments after `gridledger clear`; returns the exit status."""
    try:
        options = _parse_arguments(argv)
        if options is None:
            stdout.write(_parser().format_help())
            return EXIT_OK
        orders, floor_price, cap_price = parse_book(stdin.read(INPUT_CHARACTERS_MAX + 1))
        result = clear_book(
            orders,
            rule=options.rule,
            k=options.k,
            ration=options.ration,
            floor_price=floor_price,
            cap_price=cap_price,
            fixed_price=options.price,
            line_limit_wh=options.line_limit,
        )
    except BadInput as error:
        stderr.write(f"gridledger clear: {error}\n")
        return EXIT_BAD_INPUT
    except UnicodeDecodeError:
        stderr.write("gridledger clear: the input is not UTF-8 text\n")
        return EXIT_BAD_INPUT
    output = result_json(result)
    if options.line_limit is not None:
        output["curtailed"] = result.curtailed_wh
    stdout.write(json.dumps(output) + "\n")
    return EXIT_OK


def parse_book(text: str) -> tuple[list[Order], int | None, int | None]:
    """Read `{"floor_price", "cap_price", "orders": [...]}`; raises `BadInput`."""
    if len(text) > INPUT_CHARACTERS_MAX:
        raise BadInput(f"the input is larger than {INPUT_CHARACTERS_MAX} characters")
    book = _load(text)
    if not isinstance(book, dict):
        raise BadInput('the input must be one object with "orders"')
    floor_price = _price_bound(book, "floor_price")
    cap_price = _price_bound(book, "cap_price")
    if floor_price is not None and cap_price is not None and floor_price > cap_price:
        raise BadInput(f"floor_price {floor_price} is above cap_price {cap_price}")
    entries = book.get("orders")
    if not isinstance(entries, list):
        raise BadInput('"orders" is missing or not a list')
    if len(entries) > ORDERS_MAX:
        raise BadInput(f"more than {ORDERS_MAX} orders: {len(entries)}")
    orders = [_order(entry, index) for index, entry in enumerate(entries)]
    _refuse_duplicates(orders)
    return orders, floor_price, cap_price


def result_json(result: ClearingResult) -> dict[str, object]:
    """The output object; `excluded` appears only under the rules that exclude."""
    output: dict[str, object] = {
        "rule": result.rule,
        "price": result.price_utoken_per_kwh,
        "quantity": result.quantity_wh,
        "price_interval": list(result.price_interval) if result.price_interval else None,
        "allocations": result.allocations,
        "buyer_pays_utoken": result.buyer_pays_utoken,
        "seller_gets_utoken": result.seller_gets_utoken,
        "total_utoken": result.total_utoken,
        "not_executable": [list(entry) for entry in result.not_executable],
    }
    if result.rule != "crossing":
        output["excluded"] = [list(entry) for entry in result.excluded]
    return output


class _Parser(argparse.ArgumentParser):
    """Reports a bad option like any other bad input: one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="gridledger clear",
        usage="%(prog)s [options] < orders.json",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this text")
    parser.add_argument(
        "--rule", choices=RULES, default="crossing", help="price rule, default crossing"
    )
    parser.add_argument(
        "--k",
        type=_fraction,
        default=MIDPOINT,
        help="place in the price interval: 0 low end, 1 high end, default 1/2 (crossing)",
    )
    parser.add_argument(
        "--ration",
        choices=RATIONS,
        default="fifo",
        help="sharing at the marginal price, default fifo",
    )
    parser.add_argument(
        "--price", type=_number, help="the price of the rule fixed_price, micro-tokens per kWh"
    )
    parser.add_argument("--line-limit", type=_number, help="the most that may be matched, Wh")
    return parser


def _parse_arguments(argv: Sequence[str]) -> argparse.Namespace | None:
    """None asks for the help text."""
    options = _parser().parse_args(list(argv))
    if options.help:
        return None
    if (options.price is None) == (options.rule == "fixed_price"):
        raise BadInput("--price goes with --rule fixed_price")
    return options


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not a whole number")
    return int(text)


def _fraction(text: str) -> Fraction:
    if _FRACTION.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction such as 1/2")
    try:
        value = Fraction(text)
    except ZeroDivisionError:
        raise argparse.ArgumentTypeError(f"{text!r} divides by zero") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


def _load(text: str) -> object:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error.msg} at line {error.lineno}") from None
    except RecursionError:
        raise BadInput("not an order book: nested too deeply") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        name = f"order {_shown(members['id'])}" if "id" in members else "the book"
        raise BadInput(f"{name}: key {_shown(twice)} appears twice")
    return members


def _integer(digits: str) -> int:
    """Numbers too long to be an amount become one that is just out of range, and is refused."""
    if len(digits) <= _DIGITS_MAX + 1:
        return int(digits)
    return -1 if digits.startswith("-") else NUMBER_MAX + 1


def _no_constant(name: str) -> NoReturn:
    raise BadInput(f"{name} is not a number of the order book")


def _price_bound(book: Mapping[str, object], field: str) -> int | None:
    if field not in book:
        raise BadInput(f'"{field}" is missing (null means none)')
    value = book[field]
    return None if value is None else _amount(value, field, "the book")


def _order(entry: object, index: int) -> Order:
    if not isinstance(entry, dict):
        raise BadInput(f"order {index}: not an object")
    order_id = entry.get("id")
    if not isinstance(order_id, str) or not 0 < len(order_id) <= ID_CHARACTERS_MAX:
        raise BadInput(
            f"order {index}: id is missing or not a text of 1 to {ID_CHARACTERS_MAX} characters"
        )
    name = f"order {_shown(order_id)}"
    for field in ("side", "price", "qty", "seq"):
        if field not in entry:
            raise BadInput(f"{name}: {field} is missing")
    return Order(
        order_id=order_id,
        side=_side(entry["side"], name),
        price_utoken_per_kwh=_amount(entry["price"], "price", name),
        energy_wh=_amount(entry["qty"], "qty", name),
        sequence=_amount(entry["seq"], "seq", name),
    )


def _side(value: object, name: str) -> Side:
    if value == "bid":
        return "bid"
    if value == "offer":
        return "offer"
    raise BadInput(f"{name}: side is {_shown(value)}, neither bid nor offer")


def _amount(value: object, field: str, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):  # bool is a kind of int
        raise BadInput(f"{name}: {field} is {_shown(value)}, not a whole number")
    if value > NUMBER_MAX:
        raise BadInput(f"{name}: {field} is greater than {NUMBER_MAX}")
    if value < 0:
        raise BadInput(f"{name}: {field} is negative")
    return value


def _refuse_duplicates(orders: list[Order]) -> None:
    seen: set[str] = set()
    for order in orders:
        if order.order_id in seen:
            raise BadInput(f"order {_shown(order.order_id)}: id appears twice")
        seen.add(order.order_id)


def _shown(value: object) -> str:
    """A value from outside as short, one-line, printable text."""
    text = ascii(value) if not isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."

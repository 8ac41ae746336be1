"""`gridledger clear`: one order book in as JSON, one clearing out as JSON.

The same rule the contract runs, without a network, so that anyone can check a listing by hand.
Bad input ends with exit status 2 and one line on standard error; standard output stays empty.
"""

import argparse
import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn, Protocol

from chaincode.energy.market.clear_input import (
    DIGITS_MAX,
    INPUT_CHARACTERS_MAX,
    BadInput,
    GivenBook,
    parse_book,
    shown,
)
from chaincode.energy.market.clearing import MIDPOINT, RATIONS, ClearingResult
from chaincode.energy.market.matching import RULES
from chaincode.energy.market.outcome import Outcome, Terms, clear_in_parts

DESCRIPTION = """\
Clears one order book without a network: the market's own rule. Reads one JSON object from
standard input, prints one; status 2 and one line when the input is wrong."""
EPILOG = """\
input (prices in micro-tokens per kWh, qty in Wh, seq: place in ledger order; null: no bound):
  {"floor_price": 40000, "cap_price": null, "orders": [
    {"id": "anna", "side": "offer", "price": 60000, "qty": 2000, "seq": 1},
    {"id": "boris", "side": "bid", "price": 150000, "qty": 1500, "seq": 2}]}
an order may also have "priority": true (a bid, with --regulated-price), "source": names (an
offer), "preferred": names (a bid; they break ties).
docs/order-book.json is an example, docs/market.md explains it."""
EXIT_OK = 0
EXIT_BAD_INPUT = 2
_FRACTION = re.compile(r"\d{1,18}(/\d{1,18}|\.\d{1,18})?", re.ASCII)


class TextReader(Protocol):
    """What is needed of standard input."""

    def read(self, size: int = ..., /) -> str: ...


class TextWriter(Protocol):
    """What is needed of standard output and standard error."""

    def write(self, text: str, /) -> object: ...


def main(argv: Sequence[str], stdin: TextReader, stdout: TextWriter, stderr: TextWriter) -> int:
    """Run the command with the arguments after `gridledger clear`; returns the exit status."""
    try:
        options = _parse_arguments(argv)
        if options is None:
            stdout.write(_parser().format_help())
            return EXIT_OK
        given = parse_book(stdin.read(INPUT_CHARACTERS_MAX + 1))
        outcome = _cleared(given, options)
    except BadInput as error:
        stderr.write(f"gridledger clear: {error}\n")
        return EXIT_BAD_INPUT
    except UnicodeDecodeError:
        stderr.write("gridledger clear: the input is not UTF-8 text\n")
        return EXIT_BAD_INPUT
    output = result_json(outcome.auction)
    if options.line_limit is not None:
        output["curtailed"] = outcome.curtailed_wh
    if options.regulated_price is not None:
        _add_regulated(output, outcome)
    stdout.write(json.dumps(output) + "\n")
    return EXIT_OK


def _cleared(given: GivenBook, options: argparse.Namespace) -> Outcome:
    if given.priority and options.regulated_price is None:
        raise BadInput("an order has priority; --regulated-price says at which price")
    return clear_in_parts(
        given.orders,
        Terms(
            rule=options.rule,
            k=options.k,
            ration=options.ration,
            floor_price=given.floor_price,
            cap_price=given.cap_price,
            fixed_price=options.price,
            line_limit_wh=options.line_limit,
            regulated_price=options.regulated_price,
        ),
        first=given.priority,
        preferences=given.preferences,
    )


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


def _add_regulated(output: dict[str, object], outcome: Outcome) -> None:
    """The part served first, beside the auction of the rest; and what never could execute."""
    part = outcome.regulated
    output["regulated"] = result_json(part) if part else None
    output["not_executable"] = [list(entry) for entry in outcome.book.not_executable]


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
    parser.add_argument(
        "--regulated-price",
        type=_number,
        help="what bids marked priority pay, which are served first",
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
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number")
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

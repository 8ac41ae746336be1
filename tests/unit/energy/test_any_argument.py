"""Whatever anybody sends to whatever function: a refusal with its code, and no money or trace.

Each function of the contracts is called by every role, with texts, numbers and objects that are
empty, huge, malformed, in other scripts, or right in the wrong place.
"""

import inspect
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from chaincode.energy.contracts import CONTRACTS
from chaincode.energy.errors import DETAIL_CHARACTERS_MAX
from chaincode.shim.testing import Simulation, TestClient
from tests.unit.energy.community import COOP, LISTING, UTILITY, Community

CALLS_EACH = 2
FAULT = 500
SEALED_HOUR, NEXT_HOUR = "2026-01-15T12", "2026-01-15T11"
SALT = "5a" * 32
TEXTS = (
    *("", " ", "~", "a~b", "\x00", "\x01x", "\x7f", "\uffff", "\U0010ffff", "\u202e", "é" * 64),
    *("x" * 65, "x" * 300_000, "../..", "'; drop", "٣", "1e5", "-1", "true", "null"),
    *(LISTING, NEXT_HOUR, SEALED_HOUR, "2026-02-30T10", "1969-12-31T23", "9999-12-31T23"),
    *("2026-01", "0000-00", "9999-12", "2026-01-15T10." + "0" * 16),
    *("vpp:", "vpp:x", "market", "pool", "network", "transit", "retail", "payout~", "escrow~a"),
    *("VAL-0000-G", "VAL-0001-E", "VAL-0000-X", "pv-0", "pv-1", "meter-0", "ab" * 32),
    *("battery_soc", "price", "prosumer", "dso", "offer", "bid", "household", "UPHELD", "shares"),
)
NUMBERS = (
    *("0", "1", "-1", "1000", str(2**31), str(2**53), str(2**63 - 1), str(2**63), str(-(2**63))),
    *(
        str(10**18),
        str(10**30),
        "9" * 5_000,
        "1.5",
        "1e3",
        "",
        "x",
        "NaN",
        "０",
        "+1",
        "1_0",
        " 1",
    ),
    *("true", "null", "[]"),
)
OBJECTS = (
    *("", "{}", "[]", "null", "5", '"x"', "[null]", "[[]]", "[1,2,3]", "\ufeff{}", "{", "[{}]"),
    *('{"a":1}', '{"x":1,"x":2}', '{"' + "x" * 10_000 + '":1}', "[" * 2_000 + "]" * 2_000),
    *('{"energy_wh":1.5}', '{"energy_wh":1e400}', '{"energy_wh":NaN}', '{"rule":[]}'),
    *('{"members":null}', '{"listingid":5}', '{"price":"1"}', '{"capacity_w":-1}'),
    '{"cap_utoken_per_kwh":1,"floor_utoken_per_kwh":0,"preset":"custom"}',
    '{"side":"bid","energy_wh":1,"price_utoken_per_kwh":1,"until_ms":99999999999999}',
    '{"kind":"dynamic","effective_from_ms":99999999999999}',
    f'{{"side":"bid","energy_wh":1,"price_utoken_per_kwh":1,"salt":"{SALT}"}}',
    '{"price_utoken_per_kwh":1,"allocations":{"a":-1}}',
    '{"BidPrice":1,"kWhQuantity":"1e3","listingid":"2026-01-15T10"}',
)


def functions() -> Iterator[tuple[str, list[inspect.Parameter]]]:
    """Name and parameters of every function somebody can call."""
    for contract in CONTRACTS:
        for name, function in inspect.getmembers(contract, inspect.isfunction):
            if not name.startswith("_"):
                parameters = inspect.signature(function).parameters.values()
                yield f"{contract.name}:{name}", list(parameters)[2:]


def an_argument(parameter: inspect.Parameter, dice: random.Random) -> str:
    kinds = {int: NUMBERS, str: TEXTS}
    return dice.choice(kinds.get(parameter.annotation, OBJECTS))


def arguments_for(parameters: list[inspect.Parameter], dice: random.Random) -> list[str]:
    """Of optional arguments the last ones are sometimes left out."""
    given = []
    for parameter in parameters:
        if parameter.default is not parameter.empty and dice.random() < 0.3:
            break
        given.append(an_argument(parameter, dice))
    return given


@pytest.fixture(scope="module")
def community() -> Community:
    """Something of everything: members, open and sealed listings, orders, a group."""
    founded = Community.found()
    seller, manager = founded.join(), founded.join()
    buyer = founded.join(role="consumer")
    founded.open()
    founded.open(NEXT_HOUR, opens_at_ms=0)
    founded.open(SEALED_HOUR, opens_at_ms=0, is_sealed=True)
    manager.client.submit("groups:found", "vpp:x", "x")
    manager.client.submit("groups:join", "vpp:x", 1)
    founded.offer(seller, 1000, 30_000)
    founded.bid(buyer, 1000, 60_000)
    return founded


@pytest.fixture(scope="module")
def callers(community: Community) -> list[TestClient]:
    """All roles, and certificates that claim too much, too little or nonsense."""
    odd: list[tuple[str, dict[str, str]]] = [
        *((COOP, {"role": role}) for role in ("utility", "auditor", "operator", "notifier")),
        (COOP, {}),
        (COOP, {"role": "nonsense"}),
        (COOP, {"role": "prosumer"}),
        (COOP, {"role": "prosumer", "idgrid": "a~b\x00"}),
        (UTILITY, {"role": "prosumer", "idgrid": community.households[0].idgrid}),
    ]
    return [
        *(community.manager, community.dso, community.oracle, community.scheduler),
        *(home.client for home in community.households),
        *(
            community.ledger.client(mspid, f"caller-{number}", attributes=attributes)
            for number, (mspid, attributes) in enumerate(odd)
        ),
    ]


def what_is_wrong(answer: Simulation) -> str | None:
    """Why an answer is none a contract may give."""
    if answer.bug is not None or answer.response.status >= FAULT:
        return f"{answer.response.message}: {answer.bug!r}"
    code = answer.response.message.partition(": ")[0]
    if answer.response.status >= 400 and not (code and code.replace("_", "").isupper()):
        return f"no code: {answer.response.message[:200]}"
    if len(answer.response.message) > DETAIL_CHARACTERS_MAX + 200:
        return f"{len(answer.response.message)} characters"
    return None


def test_every_function_answers_anything_from_anybody_with_a_code(
    community: Community, callers: list[TestClient]
) -> None:
    dice, answered = random.Random(5), Counter[int]()
    for name, parameters in functions():
        for client in callers:
            for _ in range(CALLS_EACH):
                given = arguments_for(parameters, dice)
                answer = client.simulate(name, *given)
                wrong = what_is_wrong(answer)
                shown = [argument[:60] for argument in given]
                assert wrong is None, f"{name}{shown} by {client.identity.name}: {wrong}"
                answered[answer.response.status // 100] += 1
    assert answered[4] > 20 * answered[2] > 0


def test_whatever_of_it_is_accepted_leaves_the_money_whole(
    community: Community, callers: list[TestClient]
) -> None:
    before, dice, accepted = community.ledger.snapshot(), random.Random(6), 0
    for _ in range(4):
        for name, parameters in functions():
            answer = dice.choice(callers).simulate(name, *arguments_for(parameters, dice))
            if answer.response.status < 400:
                accepted += community.ledger.commit([answer]) == ["VALID"]
    assert accepted > 20
    audit = community.audit()
    assert audit["difference_utoken"] == 0
    assert all(audit[name] >= 0 for name in ("free_utoken", "payouts_utoken", "escrowed_utoken"))
    community.ledger.restore(before)

"""How a contract is called, what it is given and what its caller is told."""

import pytest

from chaincode.shim import Context, Contract, ContractError, transaction
from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import DefinitionError
from chaincode.shim.testing import TestLedger
from tests.unit.shim.sample_contracts import Shelf, Trouble


@pytest.fixture
def ledger():
    return TestLedger([Shelf(), Trouble()])


@pytest.fixture
def alice(ledger):
    return ledger.client("CoopMSP", "alice", attributes={"idgrid": "IDG-1"})


def test_arguments_follow_their_annotations(alice):
    offer = {"price_utoken_per_kwh": 54_000, "energy_wh": 10_000}
    assert alice.evaluate("shelf:types", "-12", "true", b"\x00\xff", offer, "") == {
        "number": -12,
        "flag": True,
        "size": 2,
        "energy_wh": 10_000,
        "extra": None,
    }


@pytest.mark.parametrize(
    ("position", "value", "told"),
    [
        (0, "1.5", "number is not a whole number"),
        (0, "0x10", "number is not a whole number"),
        (0, "٣", "number is not a whole number"),
        (0, "9" * 79, "number is not a whole number"),
        (1, "True", "flag is neither true nor false"),
        (3, "[]", "offer is not a JSON object"),
        (3, '{"energy_wh":1}', "offer lacks members: price_utoken_per_kwh"),
        (3, '{"energy_wh":1,"price_utoken_per_kwh":1,"x":1}', "unknown members: x"),
        (3, '{"energy_wh":1,"price_utoken_per_kwh":true}', "is not of type int"),
        (3, '{"energy_wh":1,"price_utoken_per_kwh":1.5}', "1.5 is not an integer"),
        (3, '{"energy_wh":NaN}', "NaN is no number in JSON"),
        (3, '{"energy_wh":1,"energy_wh":2}', "given twice"),
        (3, "[" * 100_000, "not valid JSON"),
        (0, b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_bad_argument_is_named(alice, position, value, told):
    arguments = ["1", "true", b"", {"price_utoken_per_kwh": 1, "energy_wh": 1}, ""]
    arguments[position] = value
    with pytest.raises(ContractError) as refusal:
        alice.evaluate("shelf:types", *arguments)
    assert refusal.value.code == "INVALID_ARGUMENT"
    assert refusal.value.status == 400
    assert told in refusal.value.message


def test_too_few_arguments_are_explained(alice):
    with pytest.raises(ContractError, match=r"put takes 2 arguments \(key, value\), not 1"):
        alice.submit("shelf:put", "k")


def test_an_unknown_function_is_refused_without_a_list(alice):
    for name in ("shelf:nothing", "nothing", "shelf:before_transaction", "", "shelf:__init__"):
        with pytest.raises(ContractError) as refusal:
            alice.submit(name)
        assert refusal.value.code == "UNKNOWN_FUNCTION"
        assert "put" not in refusal.value.message


class Watched(Contract):
    """Every call is refused unless its argument is on the list, and leaves a trace."""

    @transaction
    async def set(self, ctx: Context, word: str) -> str:
        await ctx.stub.put_state("word", word)
        return word

    async def before_transaction(self, ctx: Context) -> None:
        if ctx.stub.get_string_args()[1] == "early":
            raise ContractError("TOO_EARLY", "not before the function")

    async def after_transaction(self, ctx: Context, result: object) -> None:
        if result == "late":
            raise ContractError("TOO_LATE", "not after the function")
        await ctx.stub.put_state("trace", str(result))

    async def unknown_transaction(self, ctx: Context) -> str:
        return f"{ctx.stub.get_string_args()[0]} is not there"


def test_what_runs_around_a_function_may_refuse_and_write():
    ledger = TestLedger([Watched(), Shelf()])
    client = ledger.client("CoopMSP")
    client.submit("set", "good")
    assert (ledger.state("word"), ledger.state("trace")) == (b"good", b"good")
    for word in ("early", "late"):
        with pytest.raises(ContractError, match=f"TOO_{word.upper()}"):
            client.submit("set", word)
    assert ledger.state("word") == b"good"


def test_a_contract_may_answer_for_what_it_does_not_have():
    client = TestLedger([Watched(), Shelf()]).client("CoopMSP")
    assert client.evaluate("nothing") == "nothing is not there"
    assert client.evaluate("Watched:nothing") == "Watched:nothing is not there"
    with pytest.raises(ContractError, match="UNKNOWN_FUNCTION"):
        client.evaluate("shelf:nothing")


def test_the_first_contract_needs_no_name(alice):
    alice.submit("put", "k", "v")
    assert alice.evaluate("get", "k") == "v"


def test_a_refusal_carries_code_status_and_one_line(alice):
    with pytest.raises(ContractError) as refusal:
        alice.submit("trouble:refuse")
    assert (refusal.value.code, refusal.value.status) == ("NOT_TODAY", 409)
    assert refusal.value.message == "come back tomorrow"


def test_a_bug_tells_its_kind_and_not_its_text(alice, caplog):
    with pytest.raises(ContractError) as refusal:
        alice.submit("trouble:bug", "alice owes 500")
    assert refusal.value.status == 500
    assert refusal.value.message == "trouble:bug failed with ValueError"
    assert "alice owes 500" in caplog.text  # the operator sees all


def test_a_query_may_not_write(alice, ledger):
    with pytest.raises(ContractError, match="QUERY_WRITES"):
        alice.evaluate("shelf:sneaky")
    assert ledger.keys() == []


def test_the_description_names_functions_parameters_and_kinds(alice):
    described = alice.evaluate("org.hyperledger.fabric:GetMetadata")
    functions = {f["name"]: f for f in described["contracts"]["shelf"]["transactions"]}
    assert functions["put"]["tag"] == ["submit", "SUBMIT"]
    assert functions["get"]["tag"] == ["evaluate", "EVALUATE"]
    assert "returns" not in functions["put"]
    assert functions["move"]["returns"] == {"type": "integer"}
    assert functions["fill"]["parameters"] == [
        {"name": "object_type", "required": True, "schema": {"type": "string"}},
        {"name": "count", "required": True, "schema": {"type": "integer"}},
    ]
    keys = functions["move"]["parameters"][0]["schema"]
    assert keys == {"type": "array", "items": {"type": "string"}}
    assert described["contracts"]["shelf"]["contractInstance"] == {
        "name": "shelf",
        "default": True,
    }
    assert described["contracts"]["trouble"]["default"] is False
    assert described["info"] == {"title": "shelf", "version": "1.0"}


def test_dataclasses_are_described_once_and_referred_to(alice):
    described = alice.evaluate("org.hyperledger.fabric:GetMetadata")
    functions = {f["name"]: f for f in described["contracts"]["shelf"]["transactions"]}
    schemas = [p["schema"] for p in functions["types"]["parameters"]]
    assert schemas == [
        {"type": "integer"},
        {"type": "boolean"},
        {"type": "string", "format": "binary"},
        {"$ref": "#/components/schemas/Offer"},
        {"type": "integer"},
    ]
    assert described["components"]["schemas"]["Offer"] == {
        "$id": "Offer",
        "type": "object",
        "properties": {
            "price_utoken_per_kwh": {"type": "integer"},
            "energy_wh": {"type": "integer"},
            "note": {"type": "string"},
        },
        "required": ["price_utoken_per_kwh", "energy_wh"],
        "additionalProperties": False,
    }


def test_the_client_is_known_by_member_role_and_attribute(alice, ledger):
    assert alice.evaluate("shelf:who") == ["CoopMSP", "client", "IDG-1"]
    with pytest.raises(ContractError) as refusal:
        ledger.client("CoopMSP", "bob").evaluate("shelf:who")
    assert (refusal.value.code, refusal.value.status) == ("FORBIDDEN", 403)


def test_transient_data_is_seen(alice):
    assert alice.evaluate("shelf:secret_size", transient={"secret": b"12345"}) == 5


class Floating(Contract):
    @transaction
    async def pay(self, ctx: Context, amount: float) -> None: ...


class Unannotated(Contract):
    @transaction
    async def pay(self, ctx, amount): ...


class Blocking(Contract):
    @transaction
    def pay(self, ctx: Context) -> None: ...


class Empty(Contract):
    async def pay(self, ctx: Context) -> None: ...


class Unknown(Contract):
    @transaction
    async def pay(self, ctx: Context, amount: "Amount") -> None: ...  # noqa: F821 - that is it


@pytest.mark.parametrize("contract", [Floating, Unannotated, Blocking, Empty, Unknown])
def test_a_contract_that_cannot_be_run_is_refused_when_loaded(contract):
    with pytest.raises(DefinitionError):
        Chaincode([contract()])

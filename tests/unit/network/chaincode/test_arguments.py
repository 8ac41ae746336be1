"""`key=value` typed by a contract's metadata, and packages that are the same bytes everywhere."""

import json
import sys

import pytest

from chaincode.shim.package_code import PackageCode
from ledger.endorsement.packages.package import PackageRefused, code_files, read_package
from network.chaincode.arguments import (
    WrongArguments,
    encode_arguments,
    functions_of,
    transient_pair,
)
from network.chaincode.packaging import python_package, service_package
from network.commands.chaincode import read_options

METADATA = json.dumps(
    {
        "contracts": {
            "market": {
                "default": True,
                "transactions": [
                    {
                        "name": "order",
                        "tag": ["submit"],
                        "parameters": [
                            {"name": "id", "schema": {"type": "string"}},
                            {"name": "energy_wh", "schema": {"type": "integer"}},
                            {"name": "is_green", "schema": {"type": "boolean"}},
                            {"name": "terms", "schema": {"$ref": "#/components/schemas/Terms"}},
                            {"name": "price", "schema": {"type": "number"}},
                        ],
                    },
                    {"name": "read", "tag": ["EVALUATE"], "parameters": []},
                ],
            },
            "oracle": {"transactions": [{"name": "report"}]},
        }
    }
).encode()
FUNCTIONS = functions_of(METADATA)
ORDER = FUNCTIONS["order"]
WORDS = ("id=7=8", "energy_wh=-2000", "is_green=true", 'terms={"days": 3}', "price=1.5")


def test_functions_are_found_as_they_are_called():
    assert sorted(FUNCTIONS) == [
        "market:order", "market:read", "oracle:report", "order", "read",
    ]  # fmt: skip
    assert FUNCTIONS["read"].is_query
    assert not ORDER.is_query
    assert ORDER.usage == (
        "order id=<string> energy_wh=<integer> is_green=<boolean> terms=<object> price=<number>"
    )


def test_values_are_sent_in_the_functions_order():
    assert encode_arguments(ORDER, WORDS[::-1]) == [
        b"7=8", b"-2000", b"true", b'{"days": 3}', b"1.5",
    ]  # fmt: skip
    assert encode_arguments(ORDER, WORDS[:2]) == [b"7=8", b"-2000"], "the last may be left out"


def test_a_value_may_come_from_a_file(tmp_path):
    file = tmp_path / "id.txt"
    file.write_bytes(b"\xff\x00 bytes")
    assert encode_arguments(ORDER, [f"id=@{file}"]) == [b"\xff\x00 bytes"]


def test_what_stays_off_the_ledger_may_come_from_a_file_byte_for_byte(tmp_path):
    file = tmp_path / "salt"
    file.write_bytes(b"\x00salt=\n")
    assert transient_pair(f"salt=@{file}") == ("salt", b"\x00salt=\n")
    assert transient_pair("name=Eva = Soto") == ("name", b"Eva = Soto")
    with pytest.raises(WrongArguments, match="'salt' is not key=value"):
        transient_pair("salt")
    with pytest.raises(FileNotFoundError):
        transient_pair(f"salt=@{file}-elsewhere")


def test_bytes_that_are_not_utf_8_are_passed_on():
    """As the shell gives them: the contract judges text, nobody here repairs it."""
    assert encode_arguments(ORDER, ["id=\udcff"]) == [b"\xff"]


def test_what_is_read_of_a_file_has_an_end():
    """A device tells no size."""
    with pytest.raises(WrongArguments, match="/dev/zero is larger than 1048576 bytes"):
        encode_arguments(ORDER, ["id=@/dev/zero"])


@pytest.mark.parametrize("words", ["--raw 7 2000", "7 --raw 2000", "7 2000 --raw"])
def test_arguments_may_stand_around_options(words):
    options = read_options(["query", "market", "order", *words.split()])
    assert options.arguments == ["7", "2000"]
    assert options.raw


@pytest.mark.parametrize("words", ["query market order --rwa 7", "installed market"])
def test_what_no_command_knows_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        read_options(words.split())
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["id"], "'id' is not key=value"),
        (["id=1", "id=2"], "an argument is given twice"),
        (["id=1", "energy=2"], "has no parameter 'energy'; did you mean energy_wh?"),
        (["energy_wh=2"], "id is missing\nusage: order id=<string>"),
        (["id=1", "energy_wh=2.5"], "energy_wh=2.5 is not a whole number"),
        (["id=1", "energy_wh=007"], "is not a whole number"),
        (["id=1", "energy_wh=1", "is_green=yes"], "is_green=yes is neither true nor false"),
        ([*WORDS[:3], "terms=soon"], "terms=soon is no JSON ("),
        ([*WORDS[:3], 'terms={"a": "\udcff"}'], "is not UTF-8"),
        ([*WORDS[:3], "terms=[1]"], "terms=[1] is no JSON object"),
        ([*WORDS[:4], "price=true"], "price=true is no JSON number"),
        ([*WORDS[:3], "terms=" + "[" * 100_000], "is no JSON"),
    ],
)
def test_a_mistake_is_told_with_the_usage(words, text):
    with pytest.raises(WrongArguments) as wrong:
        encode_arguments(ORDER, words)
    assert text in str(wrong.value)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"contracts": 5}', b'{"contracts": {"a": 1}}']
)
def test_metadata_that_cannot_be_read(raw):
    with pytest.raises(WrongArguments, match="use --raw"):
        functions_of(raw)


# -- packages -------------------------------------------------------------------------------------


def test_the_same_code_is_the_same_package():
    first = python_package("chaincode.energy", "energy_1.0")
    assert python_package("chaincode.energy", "energy_1.0") == first
    package = read_package(first)
    files = code_files(package)
    assert package.path == "chaincode.energy"
    assert "chaincode/energy/contracts/market.py" in files
    assert not [name for name in files if "__pycache__" in name or "shim" in name]
    other = read_package(python_package("chaincode.energy", "energy_1.1"))
    assert other.package_id != package.package_id


def test_a_module_beside_the_repository(tmp_path):
    (tmp_path / "my_contract.py").write_text("CONTRACTS = ()\n", encoding="utf-8")
    raw = python_package("my_contract", "mine_1", root=tmp_path)
    assert code_files(read_package(raw)) == {"my_contract.py": b"CONTRACTS = ()\n"}
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize("module", ["no_such_module", "no_such.module", "..up", "_struct"])
def test_what_cannot_be_packaged(module):
    with pytest.raises(PackageRefused, match="module"):
        python_package(module, "x_1")


def test_a_service_is_checked_when_it_is_packaged():
    assert read_package(service_package({"address": "host:1"}, "s_1")).kind == "ccaas"
    with pytest.raises(PackageRefused, match="is no host:port"):
        service_package({"address": "host"}, "s_1")


# -- where a package's modules are found ----------------------------------------------------------


def test_a_packages_modules_come_first_but_never_the_peers_own(tmp_path):
    for name in ("market.py", "deep/rules.py", "chaincode/energy/__init__.py", "ledger/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "chaincode" / "shim").mkdir()
    (tmp_path / "chaincode" / "shim" / "stub.py").write_text("", encoding="utf-8")
    find = PackageCode(tmp_path).find_spec
    assert find("market", None).origin == str(tmp_path / "market.py")
    assert find("chaincode.energy", None).origin.startswith(str(tmp_path))
    assert list(find("deep", None).submodule_search_locations) == [str(tmp_path / "deep")]
    for name in ("ledger", "ledger.x", "chaincode.shim", "chaincode.shim.stub", "json"):
        assert find(name, None) is None

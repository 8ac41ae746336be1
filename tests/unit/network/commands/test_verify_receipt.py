"""`gridledger verify-receipt` and `gridledger validators`: words, exit codes, nothing asked."""

import base64
import json
from pathlib import Path

import pytest

from ledger.model.codec_block import encode_block
from ledger.receipts.receipt import encode_receipt
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from network.cli import main
from tests.support.identities import CHANNEL_ID
from tests.support.receipt_world import FORGERIES, LINE_KEY, ReceiptWorld, strangers

VECTORS = Path(__file__).parents[3] / "vectors" / "receipts"
GOOD = VECTORS / "settlement.receipt"
TRUST = VECTORS / "validators.json"


def verify(*arguments: object) -> int:
    return main(["verify-receipt", *map(str, arguments)])


def test_a_good_receipt_is_told_in_plain_words(capsys):
    assert verify(GOOD, "--validators", TRUST) == 0
    told = capsys.readouterr().out
    assert "PROVEN: household VAL-0001, hour from 2026-01-01T14 UTC: sold 8.000 kWh" in told
    assert "received 0.432000 tokens" in told
    assert "sealed by    3 of 4 validators" in told
    assert json.loads((VECTORS / "cases.json").read_text())["fingerprint"] in told


def test_a_refused_transaction_is_told(capsys):
    assert verify(VECTORS / "refused-transaction.receipt", "--validators", TRUST) == 0
    told = capsys.readouterr().out
    assert "refused this transaction" in told
    assert "MVCC_READ_CONFLICT" in told


def test_the_same_for_programs(capsys):
    assert verify(GOOD, "--validators", TRUST, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["code"], told["key"]) == (True, "VALID", LINE_KEY)
    assert told["value"]["received_utoken"] == 432_000


def test_the_vectors_are_refused_as_they_say(tmp_path, capsys):
    forged = json.loads((VECTORS / "cases.json").read_text())["forgeries"]
    assert {case["name"] for case in forged} == set(FORGERIES)
    for case in forged:
        file = tmp_path / "forged.receipt"
        file.write_bytes(base64.b64decode(case["receipt"]))
        assert verify(file, "--validators", TRUST, "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert (told["step"], told["problem"]) == (case["step"], case["problem"])


def test_a_refusal_names_the_step(tmp_path, capsys):
    file = tmp_path / "altered.receipt"
    file.write_bytes(GOOD.read_bytes().replace(b"432000", b"932000"))
    assert verify(file, "--validators", TRUST) == 1
    assert capsys.readouterr().out.startswith("REFUSED at the Merkle path: ")


def test_what_cannot_be_tried_is_no_refusal(tmp_path, capsys):
    assert verify(tmp_path / "absent", "--validators", TRUST) == 2
    assert verify(GOOD, "--validators", GOOD) == 2
    assert "gridledger verify-receipt: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        verify(GOOD)


def test_a_genesis_block_is_enough_while_its_validators_are_the_ones(tmp_path, capsys):
    world = ReceiptWorld()
    receipt, genesis, listed = (tmp_path / name for name in ("r", "genesis.block", "v.json"))
    receipt.write_bytes(encode_receipt(world.receipt()))
    genesis.write_bytes(encode_block(world.consortium.genesis))
    assert verify(receipt, "--genesis", genesis) == 0
    assert main(["validators", "--genesis", str(genesis), "-o", str(listed)]) == 0
    told = capsys.readouterr().out
    assert told.count("fingerprint") == 2
    assert verify(receipt, "--validators", listed) == 0
    genesis.write_bytes(encode_block(strangers().genesis))
    assert verify(receipt, "--genesis", genesis) == 1
    assert "OTHER_CHAIN" in capsys.readouterr().out


def test_the_validators_of_a_stopped_ledger(tmp_path, capsys):
    genesis_block = strangers().genesis
    genesis = tmp_path / "genesis.block"
    genesis.write_bytes(encode_block(genesis_block))
    database = LevelDbStore(tmp_path / DATABASE_FOLDER)
    open_ledger(database, channel_id=CHANNEL_ID, genesis=genesis_block)
    database.close()
    command = ["validators", "--genesis", str(genesis), "--data"]
    assert main([*command, str(tmp_path)]) == 0
    assert "as of block  0" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "elsewhere")]) == 2

"""What the stand-ins for other projects' programs write and read, without those projects."""

import json
from pathlib import Path

from ledger.crypto.certificates import load_x509
from ledger.wire import common_pb2
from network.cli import main
from network.plan import load_plan
from tests.interop.block_json import block_tree
from tests.interop.chaincode_services import ChaincodeServices, builder_settings
from tests.interop.containers import Containers
from tests.interop.crypto_tree import FABRIC_CA_SUBJECT
from tests.interop.fv_suite import count as count_mocha
from tests.interop.scenario_suite import count as count_cucumber
from tests.interop.shapes import SCENARIO, TEST_NETWORK, write_plan
from tests.interop.workshop import Counted
from tests.unit.model.fabric_blocks import FOLDER


def test_the_scenarios_network_has_the_suites_names_and_ports(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path, SCENARIO, name="scenario"))
    assert [peer.external_address for peer in plan.peers] == [
        "peer0.org1.example.com:7051",
        "peer1.org1.example.com:9051",
        "peer0.org2.example.com:8051",
        "peer1.org2.example.com:10051",
        "peer0.org3.example.com:11051",
    ]


def test_the_tree_has_what_the_suite_reads(tmp_path: Path) -> None:
    assert Containers(tmp_path / "network", tmp_path / "fixtures").create() == 0
    tree = tmp_path / "fixtures/crypto-material/crypto-config/peerOrganizations"
    for one in SCENARIO:
        user = tree / one.domain / "users" / f"User1@{one.domain}" / "msp"
        assert (user / "keystore/key.pem").stat().st_mode & 0o077 == 0
        certificate = load_x509((user / f"signcerts/User1@{one.domain}-cert.pem").read_bytes())
        assert certificate.issuer.rfc4514_string() == one.authority_subject
        tls = tree / one.domain / "peers" / one.peer_name(0) / "tls"
        assert {path.name for path in tls.iterdir()} == {"ca.crt", "server.crt", "server.key"}


def test_each_peer_has_service_ports_of_its_own(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path, TEST_NETWORK, name="samples"))
    settings = {json.dumps(builder_settings(peer)) for peer in plan.peers}
    assert len(settings) == len(plan.peers)
    services = ChaincodeServices(tmp_path)
    assert services.address_template("crud_1.0") == "127.0.0.1:{{.services}}0"
    assert services.address_template("query_1.0") == "127.0.0.1:{{.services}}1"
    assert services.address_template("crud_1.0") == "127.0.0.1:{{.services}}0"


def test_users_may_have_the_subjects_of_fabric_ca(tmp_path: Path) -> None:
    path = write_plan(tmp_path, TEST_NETWORK, name="samples")
    assert main(["network", "init", "--plan", str(path)]) == 0
    words = ["buyer", "--subject", FABRIC_CA_SUBJECT, "--folder", str(tmp_path)]
    assert main(["cert", "issue", "org2", *words, "--plan", str(path)]) == 0
    subject = load_x509((tmp_path / "buyer.crt").read_bytes()).subject
    assert subject.rfc4514_string() == f"CN=buyer,OU=client,{FABRIC_CA_SUBJECT}"


def test_a_block_of_fabric_is_shown_down_to_its_events() -> None:
    block = common_pb2.Block.FromString((FOLDER / "p7.block").read_bytes())
    [entry] = block_tree(block)["data"]["data"]
    [action] = entry["payload"]["data"]["actions"]
    answered = action["payload"]["action"]["proposal_response_payload"]
    assert answered["extension"]["response"]["status"] == 200
    assert "events" in answered["extension"]


def test_reports_are_counted() -> None:
    step = {"result": {"status": "passed"}}
    failed = {"result": {"status": "failed"}}
    scenarios = [
        {"name": "good", "tags": [], "steps": [step, step]},
        {"name": "bad", "tags": [], "steps": [step, failed]},
        {"name": "token", "tags": [{"name": "@hsm"}], "steps": [step]},
    ]
    assert count_cucumber([{"elements": scenarios}]) == [
        Counted("client scenarios", 1, 2, ("bad",)),
        Counted("client scenarios: steps", 3, 4),
        Counted("client scenarios, HSM", 1, 1),
        Counted("client scenarios, HSM: steps", 1, 1),
    ]
    report = {"stats": {"tests": 3, "passes": 2}, "failures": [{"fullTitle": "crud gets"}]}
    assert count_mocha(report) == Counted("Node chaincode tests", 2, 3, ("crud gets",))

"""A device's code and the proof of its key: from the real node to the key on the ledger."""

import asyncio
import html
import json
import re

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from meternode.keys import enrolment
from meternode.signing import HmacSigner, P256Signer

from gateway.database import migrate, open_database
from gateway.hems.device_enrolment import (
    CODE_LIFETIME_MS,
    DeviceEnrolment,
    EnrolmentDoubt,
    EnrolmentRefused,
)
from gateway.hems.meter_keys import LedgerMeterKeys
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.identity.sessions import Viewer
from gateway.mqtt.enrolment_line import LINE_CHARACTERS_MAX
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading_check import Attesting, ReadingCheck
from gateway.mqtt.topics import Topic
from ledger.crypto.signing import Signer
from tests.e2e.browser.village import HOUR_MS, Village, village
from tests.firmware.pc_node import make_image, settings
from tests.firmware.test_pc_node import running, scene

NOW_MS = 1_767_225_600_000
SECRET = bytes(range(32))


class Clock:
    now_ms = NOW_MS


@pytest.fixture
def book(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    migrate(database)
    attesting = Attesting(Signer(ec.generate_private_key(ec.SECP256R1())), {"node-a": SECRET})
    yield DeviceEnrolment(database, lambda: Clock.now_ms, attesting)
    Clock.now_ms = NOW_MS
    database.close()


def printed(device: str, code: str, *, secret: int = 0x5EED) -> dict[str, str]:
    """What the firmware prints, by its own code on this Python."""
    return enrolment(device, code, P256Signer(secret))


def doubt_about(book: DeviceEnrolment, content: object, code: str) -> EnrolmentDoubt:
    with pytest.raises(EnrolmentRefused) as refused:
        book.check(content if isinstance(content, str) else json.dumps(content), code)
    return refused.value.doubt


def test_a_code_proves_one_key_and_the_same_line_passes_again(book):
    code = book.write_code("node-1", "IDG-1")
    line = json.dumps({"enrolment": printed("node-1", code)})
    proved = book.check(line, code)
    assert (proved.device_id, proved.owner_idgrid, proved.tier) == ("node-1", "IDG-1", "B")
    assert proved.fingerprint == printed("node-1", code)["fingerprint"]
    assert book.check(line, code.lower()) == proved
    assert doubt_about(book, printed("node-1", code, secret=7), code) is EnrolmentDoubt.USED_CODE


def test_a_wrong_old_or_foreign_code_proves_nothing(book):
    unknown = EnrolmentDoubt.UNKNOWN_CODE
    assert doubt_about(book, printed("node-1", "ABCD"), "ABCD") is unknown
    first = book.write_code("node-1", "IDG-1")
    other = book.write_code("node-2", "IDG-2")
    assert doubt_about(book, printed("node-1", other), other) is unknown
    assert doubt_about(book, printed("node-1", other), first) is EnrolmentDoubt.WRONG_PROOF
    renewed = book.write_code("node-1", "IDG-1")
    assert first != renewed
    assert doubt_about(book, printed("node-1", first), first) is unknown
    Clock.now_ms += CODE_LIFETIME_MS
    assert doubt_about(book, printed("node-1", renewed), renewed) is EnrolmentDoubt.EXPIRED_CODE
    Clock.now_ms -= 1
    assert book.check(json.dumps(printed("node-1", renewed)), renewed).device_id == "node-1"


def test_a_proof_is_of_one_device_code_and_key(book):
    code = book.write_code("node-1", "IDG-1")
    good, foreign = printed("node-1", code), printed("node-1", code, secret=7)
    swapped = {name: foreign[name] for name in ("public_key", "fingerprint", "kid")}
    for changed in (
        good | {"proof": foreign["proof"]},
        good | swapped,
        good | {"kid": foreign["kid"]},
        printed("node-2", code) | {"device": "node-1"},
    ):
        assert doubt_about(book, changed, code) is EnrolmentDoubt.WRONG_PROOF


def test_what_is_no_line_of_a_device_is_told_apart(book):
    code = book.write_code("node-1", "IDG-1")
    good = printed("node-1", code)
    without = {name: value for name, value in good.items() if name != "proof"}
    for bad in (
        "",
        "{",
        "[]",
        "é",
        "x" * (LINE_CHARACTERS_MAX + 1),
        {"enrolment": []},
        without,
        good | {"extra": ""},
        good | {"tier": "D"},
        good | {"device": "no name"},
        good | {"proof": "!"},
        good | {"fingerprint": "00" * 32},
        good | {"public_key": good["public_key"].replace("MFkw", "MFkx")},
        good | {"kid": 7},
    ):
        assert doubt_about(book, bad, code) is EnrolmentDoubt.MALFORMED, bad


def test_of_tier_a_the_gateways_key_is_what_is_registered(book):
    code = book.write_code("node-a", "IDG-1")
    proved = book.check(json.dumps(enrolment("node-a", code, HmacSigner(SECRET))), code)
    assert (proved.tier, proved.fingerprint) == ("A", book.codes()["node-a"].fingerprint)
    code = book.write_code("node-b", "IDG-1")
    line = enrolment("node-b", code, HmacSigner(SECRET))
    assert doubt_about(book, line, code) is EnrolmentDoubt.NOT_ATTESTED
    code = book.write_code("node-a", "IDG-1")
    line = enrolment("node-a", code, HmacSigner(bytes(32)))
    assert doubt_about(book, line, code) is EnrolmentDoubt.WRONG_PROOF


class Manager:
    """The manager before the console's pages."""

    def __init__(self, it: Village) -> None:
        it.services.sessions.admit("manager-of-devices", Viewer("", is_manager=True))
        self._it = it

    def post(self, path: str, **fields: str) -> httpx.Response:
        return httpx.post(
            self._it.url + path,
            data=fields,
            headers={"authorization": "Bearer manager-of-devices", "accept": "text/html"},
        )

    def page(self) -> str:
        headers = {"authorization": "Bearer manager-of-devices", "accept": "text/html"}
        return httpx.get(self._it.url + "/console/meters", headers=headers).text


def arguments_of(text: str) -> list[str]:
    """What the manager's browser would sign, as the form shows it."""
    form = text[text.index('data-sign="devices:register"') :].split("</form>", maxsplit=1)[0]
    values = dict(re.findall(r'data-argument="(\d)" value="([^"]*)"', form))
    values |= {"1": "meter", "4": ""}
    return [html.unescape(values[str(number)]) for number in range(6)]


def node_with(world, tmp_path, code: str):
    folder = tmp_path / "flash"
    make_image(
        folder,
        settings=settings("node-1", world.broker.port),
        authority=world.broker.authority_pem,
        token=world.broker.token("node-1"),
        code=code,
        wifi=None,
    )
    return folder


def test_a_real_nodes_key_comes_from_its_line_onto_the_ledger(tmp_path):
    with village() as it:
        home = it.act(lambda community: community.join())
        manager, owner = Manager(it), home.idgrid
        refused = manager.post("/console/meters/code", device="no name", owner=owner)
        assert refused.status_code == 400
        assert manager.post("/console/meters/code", device="n", owner="X").status_code == 404
        written = manager.post("/console/meters/code", device="node-1", owner=owner)
        found = re.search(r'data-written="node-1">([^<]+)<', written.text)
        assert found is not None
        code = found[1]

        async def play() -> tuple[dict[str, str], list[dict[str, object]]]:
            async with (
                scene(tmp_path) as world,
                running(node_with(world, tmp_path, code)) as node,
            ):
                return node.enrolment, await world.wait_for("node-1", "reading", count=1)

        line, readings = asyncio.run(play())
        foreign = json.dumps(line | {"device": "node-2"})
        answer = manager.post("/console/meters/enrolment", line=foreign, code=code)
        assert 'data-doubt="unknown_code"' in answer.text
        whole = json.dumps({"enrolment": line})
        proved = manager.post("/console/meters/enrolment", line=whole, code=code)
        signed = arguments_of(proved.text)
        it.act(lambda community: community.manager.submit("devices:register", *signed))
        it.act(lambda community: community.dso.submit("registry:approve_meter", "node-1"))
        meter = next(one for one in it.services.community.meters() if one.meter_id == "node-1")
        assert (meter.key_fingerprint, meter.tier) == (line["fingerprint"], "B")
        assert meter.owner_idgrid == owner
        row = manager.page().split('data-device="node-1"')[1].split("</tr>")[0]
        assert "data-proved" in row
        message = json.dumps(readings[0]).encode()
        keys = LedgerMeterKeys(it.services.community, it.services.blocks)
        series = SeriesStore(it.services.readmodel.database, limits_for(HOUR_MS), 0)
        intake = SeriesIntake(series, ReadingCheck(keys), lambda: readings[0]["t_end"])
        assert asyncio.run(intake.accept(Topic("val", "node-1", "reading"), message))
        latest = it.services.readings.latest("node-1")
        assert latest is not None
        assert latest.seq == readings[0]["seq"]

"""Meters that share a secret with their gateway: its settings name them, its key attests."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization

from chaincode.energy.oracle.readings import attested_message
from gateway.hems.plausibility import Doubt
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.collecting import reading_check
from gateway.mqtt.topics import Topic
from gateway.settings import load_gateway_settings
from ledger.crypto.signing import verify_signature
from tests.unit.gateway.metering.test_series import VectorKeys
from tests.vectors import make_readings
from tests.vectors.make_readings import GATEWAY_KEY, METER_KEY, SHARED_KEY

VECTORS = json.loads(make_readings.PATH.read_text(encoding="utf-8"))
METER = "meter-a"


def settings_with(folder, attesting):
    (folder / "attesting.key").write_bytes(
        GATEWAY_KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    file = folder / "gateway.json"
    settings = {
        "host": "127.0.0.1",
        "port": 8443,
        "ledger": {"channel_id": "c", "chaincode": "e", "tls_ca": "/ca", "peers": []},
        "identity": {"mspid": "M", "certificate": "/c", "key": "/k"},
        "community": {"id": "v", "name": "V", "hour_ms": 3_600_000, "utc_offset_minutes": 0},
        "mqtt": None,
        "hems": attesting,
    }
    file.write_text(json.dumps(settings))
    return load_gateway_settings(file)


def attesting(folder, secret: str):
    return {"attesting": {"key": str(folder / "attesting.key"), "secrets": {METER: secret}}}


def test_the_settings_make_the_gateway_attest_what_its_meters_say(tmp_path):
    settings = settings_with(tmp_path, attesting(tmp_path, SHARED_KEY.hex()))
    check = reading_check(settings.hems, VectorKeys())
    entry = next(entry for entry in VECTORS["readings"] if entry["tier"] == "A")
    arrival = check.arrival(Topic("v", METER, "reading"), entry["message"].encode())
    assert arrival.signed is not None
    signature = base64.b64decode(arrival.signed.signature)
    verify_signature(GATEWAY_KEY.public_key(), attested_message(arrival.signed), signature)
    assert SHARED_KEY.hex() not in repr(settings)
    assert repr(SHARED_KEY) not in repr(settings)


def test_without_the_settings_a_shared_secret_attests_nothing(tmp_path):
    check = reading_check(settings_with(tmp_path, {}).hems, VectorKeys())
    entry = next(entry for entry in VECTORS["readings"] if entry["tier"] == "A")
    assert check.arrival(Topic("v", METER, "reading"), entry["message"].encode()).signed is None


class Upgraded:
    """The ledger's keys after the device of tier A was replaced by one with a key of its own."""

    def public_key(self, _meter_id):
        return METER_KEY.public_key()


def test_after_an_upgrade_the_old_secret_signs_nothing_and_the_new_key_is_heard(tmp_path):
    settings = settings_with(tmp_path, attesting(tmp_path, SHARED_KEY.hex()))
    check = reading_check(settings.hems, Upgraded())
    topic = Topic("v", METER, "reading")
    entry = next(entry for entry in VECTORS["readings"] if entry["tier"] == "A")
    downgraded = check.arrival(topic, entry["message"].encode())
    assert (downgraded.signed, downgraded.doubt) == (None, Doubt.BAD_SIGNATURE)
    meter = VirtualMeter(METER, METER_KEY)
    assert check.arrival(topic, meter.message(meter.read(1_470_085_200_000))).signed is not None


@pytest.mark.parametrize("secret", ["", "ab" * 31, "ab" * 33, "zz" * 32])
def test_a_secret_of_another_form_is_refused(tmp_path, secret):
    with pytest.raises(ValueError, match=r"32 bytes|non-hexadecimal"):
        settings_with(tmp_path, attesting(tmp_path, secret))

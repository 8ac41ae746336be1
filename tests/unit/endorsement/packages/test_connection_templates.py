"""Values that each peer puts into a service package's connection.json."""

import json

import pytest

from ledger.endorsement.packages.connection_templates import VARIABLE, filled, with_examples
from ledger.endorsement.packages.package import CONNECTION_FILE, PackageRefused, service_connection
from ledger.node.chaincodes.service_values import service_values


def package(address: str) -> dict[str, bytes]:
    return {CONNECTION_FILE: json.dumps({"address": address}).encode()}


def test_each_peer_fills_in_its_own_address():
    files = package("127.0.0.1:{{.services}}7")
    for value, address in (("2001", "127.0.0.1:20017"), ("2002", "127.0.0.1:20027")):
        values = service_values({VARIABLE: json.dumps({"services": value})})
        assert service_connection(filled(files, values)).address == address


def test_a_value_the_peer_lacks_is_named():
    with pytest.raises(PackageRefused, match=f"asks for 'peername', which {VARIABLE}"):
        filled(package("{{ .peername }}:9999"), {"services": "1"})


def test_a_value_stays_text_inside_the_json():
    [host] = {'a","tls_required":true,"x":"'}
    found = json.loads(filled(package("{{.h}}:1"), {"h": host})[CONNECTION_FILE])
    assert found == {"address": f"{host}:1"}


def test_a_package_can_be_checked_before_any_peer_has_values():
    assert service_connection(with_examples(package("peer:{{.port}}"))).address == "peer:1"
    assert with_examples({"module.py": b"{{.x}}"}) == {"module.py": b"{{.x}}"}


def test_without_the_variable_there_are_no_values():
    assert service_values({}) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', "1" * 70_000, "[" * 60_000])
def test_a_variable_that_is_no_object_of_texts_is_refused(text):
    with pytest.raises(PackageRefused, match=VARIABLE):
        service_values({VARIABLE: text})

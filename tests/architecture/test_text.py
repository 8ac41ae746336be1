"""What must not stand in any file: unfinished work, secrets, someone's machine."""

import re

import pytest

from tests.architecture.source_files import python_files, repository_files, text_of

UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.-])/(home|root|work|Users)/[A-Za-z]")
SECRETS = {
    "private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----\n[A-Za-z0-9+/]{20}"),
    "cloud key": re.compile(r"\b(AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}|xox[bp]-[A-Za-z0-9-]{20,})"),
    "password": re.compile(
        r"(?i)\b(password|passwd|secret_key|api_key)\b\s*=\s*[\"'][^\"'{<]{6,}"
    ),
}
NOT_OURS = ("requirements.lock", "tests/vectors/", "LICENSE")

OURS = [path for path in repository_files() if not path.startswith(NOT_OURS)]


def test_no_work_is_left_for_later_in_the_code() -> None:
    assert [path for path in OURS if UNFINISHED.search(text_of(path))] == []


def test_no_path_of_someones_machine() -> None:
    assert [path for path in OURS if MACHINE_PATH.search(text_of(path))] == []


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_is_committed(kind: str) -> None:
    found = [
        path
        for path in OURS
        if SECRETS[kind].search(text_of(path)) and not path.startswith("tests/")
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path
        for path in python_files("ledger", "chaincode", "gateway", "network")
        if text_of(path).strip() and not text_of(path).lstrip().startswith('"""')
    ]
    assert silent == []

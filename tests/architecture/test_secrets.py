"""No file of the repository holds a secret: no private key, no token, no password."""

import re

import pytest

from tests.architecture.source_files import repository_files, text_of

SECRETS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{40}"),
    "cloud access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "code hosting token": re.compile(r"\b(?:ghp|gho|ghs|github_pat|glpat)[_-][A-Za-z0-9_]{20,}"),
    "chat token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "address with password": re.compile(
        r"\b[a-z][a-z0-9+]*://[^\s/:@\"'<>{}]+:(?!password@)[^\s/@\"'<>{}]+@"
    ),
    "password in code": re.compile(
        r"(?i)\b(?:password|passwd|secret|api_?key|auth_?token)\b\"?\s*[:=]\s*[\"'][^\"'{}\s]{8,}[\"']"
    ),
}
LOOKED_FOR_ELSEWHERE = ("tests/", "docs/", "gateway/web/static/vendor/", "requirements.lock")
"""Throw-away keys of tests, examples in documents, files of others, hashes."""


def findings(paths) -> list[str]:
    return [
        f"{path}: {what}"
        for path in paths
        for what, pattern in SECRETS.items()
        if pattern.search(text_of(path))
    ]


@pytest.mark.row("E122")
def test_no_file_holds_a_secret():
    shipped = [path for path in repository_files() if not path.startswith(LOOKED_FOR_ELSEWHERE)]
    assert findings(shipped) == []


def test_not_even_tests_and_documents_hold_a_real_key():
    everywhere = [path for path in repository_files() if "vendor" not in path]
    patterns = [
        name for name in SECRETS if name not in ("password in code", "address with password")
    ]
    found = [one for one in findings(everywhere) if one.partition(": ")[2] in patterns]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN " + "PRIVATE KEY-----\n" + "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIB",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "postgres://user:" + "hunter22@db/ledger",
        'password = "' + 'correct-horse"',
    ],
)
def test_the_scan_finds_what_it_looks_for(text):
    assert any(pattern.search(text) for pattern in SECRETS.values())

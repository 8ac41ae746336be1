"""One line in the log for each change of a link's state, however often it is tried."""

import pytest

from ledger.rpc.link_news import REASONS_TOLD_MAX, LinkNews, in_plain_words


@pytest.fixture
def news(caplog):
    caplog.set_level("INFO")
    return LinkNews("consenter 3")


def test_a_reason_is_told_once_until_there_is_a_connection(news, caplog):
    for _ in range(100):
        news.failed("nobody listens at its address")
    news.failed("it does not answer")
    news.connected()
    news.lost()
    news.failed("it does not answer")
    assert caplog.messages == [
        "no connection to consenter 3: nobody listens at its address",
        "no connection to consenter 3 (101 attempts failed): it does not answer",
        "connected to consenter 3 (101 attempts failed before)",
        "lost consenter 3",
        "no connection to consenter 3: it does not answer",
    ]


def test_what_the_other_side_says_cannot_fill_the_log(news, caplog):
    for number in range(100):
        news.failed(f"reason {number}")
    assert len(caplog.records) == REASONS_TOLD_MAX


@pytest.mark.parametrize(
    ("details", "plain"),
    [
        ("connect: Connection refused (111)", "nobody listens at its address"),
        ("UNKNOWN: Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", "does not hold the TLS key"),
        ("UNKNOWN_MEMBER: nobody's", "UNKNOWN_MEMBER: nobody's"),
    ],
)
def test_the_words_are_an_operators(details, plain):
    assert plain in in_plain_words(details)

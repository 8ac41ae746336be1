"""A node's sentence in a file, as somebody reads it who looks at any moment."""

from ledger.node.process.notice_file import put_notice, read_notice


def test_a_notice_that_changes_is_never_missing(tmp_path):
    path = tmp_path / "notice.txt"
    put_notice(path, "observer: from height 9, now at 7")
    with path.open(encoding="utf-8") as looked_at_before:
        put_notice(path, "observer: from height 9, now at 8")
        assert looked_at_before.read() == "observer: from height 9, now at 7\n"
    assert read_notice(path) == "observer: from height 9, now at 8"
    assert list(tmp_path.iterdir()) == [path]


def test_no_notice_reads_as_nothing(tmp_path):
    path = tmp_path / "notice.txt"
    put_notice(path, "observer")
    put_notice(path, "")
    put_notice(path, "")
    assert (read_notice(path), list(tmp_path.iterdir())) == ("", [])

"""Files that survive a power cut at any moment, on littlefs as on a PC.

A small record is written to one of two files in turn, each with a counter and a checksum; the
newest whole one counts. A log is a file of lines, each with its checksum; a torn last line is
dropped. `close` is what makes a write durable on littlefs.
"""

import binascii
import json
import os


def make_folder(path):
    """Create a folder unless it is there."""
    try:
        os.mkdir(path)
    except OSError:
        os.stat(path)  # raises unless it exists already


def read_bytes(path):
    """The whole file, or None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def write_bytes(path, content):
    """Replace a file's content; not safe against a power cut by itself."""
    with open(path, "wb") as file:
        file.write(content)


def remove(path):
    """Delete a file if it exists."""
    try:
        os.remove(path)
    except OSError:
        if read_bytes(path) is not None:
            raise


class Record:
    """One JSON value in two files; `load` gives the last whole one."""

    def __init__(self, path):
        self._path = path
        self._counter = 0

    def load(self):
        """The stored value, or None when nothing whole is stored."""
        found = [version for version in (self._read("0"), self._read("1")) if version]
        if not found:
            return None
        newest = max(found, key=_counter_of)
        self._counter = newest["n"]
        return newest["value"]

    def save(self, value):
        """Store a JSON value; the older of the two files is overwritten."""
        self._counter += 1
        line = _checked(json.dumps({"n": self._counter, "value": value}))
        write_bytes(self._path + "." + str(self._counter % 2), line)

    def _read(self, suffix):
        content = read_bytes(self._path + "." + suffix)
        return None if content is None else _unchecked(content)


class Log:
    """Lines of JSON, appended; `compact` replaces them by fewer."""

    def __init__(self, path):
        self._path = path
        self.lines = 0

    def entries(self):
        """Every whole entry, oldest first, one in memory at a time; a torn line is left out."""
        self.lines = 0
        try:
            with open(self._path, "rb") as file:
                for line in file:
                    entry = _unchecked(line)
                    if entry is not None:
                        self.lines += 1
                        yield entry
        except OSError:
            return

    def append(self, entry):
        """Add one entry, durable on return."""
        with open(self._path, "ab") as file:
            file.write(b"\n" + _checked(json.dumps(entry)))  # begins anew after a torn line
        self.lines += 1

    def compact(self, entries):
        """Let the log be these entries; a power cut leaves the old or the new one."""
        with open(self._path + ".new", "wb") as file:
            for entry in entries:
                file.write(_checked(json.dumps(entry)))
        os.rename(self._path + ".new", self._path)
        self.lines = len(entries)


def _counter_of(version):
    return version["n"]


def _checked(text):
    return f"{binascii.crc32(text.encode()):08x} {text}\n".encode()


def _unchecked(line):
    """The value in a line with its checksum; None if the line is torn or empty."""
    if len(line) < 10 or line[8:9] != b" " or line[-1:] != b"\n":
        return None
    text = line[9:-1]
    if line[:8] != f"{binascii.crc32(text):08x}".encode():
        return None
    return json.loads(text)

"""Other projects' own suites, run against our peers: `tests/interop/run --help`."""

"""`micropython runner.py MODULE FOLDER PATHS`: run a module's checks, one JSON line each.

PATHS, separated by colons, go to the front of `sys.path`. FOLDER is empty and ours.
"""

import json
import os
import sys


def main(name, folder, paths):
    """Run them all; a check that raises is reported and the next one runs."""
    for path in reversed(paths.split(":")):
        sys.path.insert(0, path)
    module = __import__(name)
    for check in sorted(dir(module)):
        if not check.startswith("check_"):
            continue
        error = None
        try:
            call(getattr(module, check), folder + "/" + check)
        except Exception as raised:  # noqa: BLE001 - that is the result
            sys.print_exception(raised, sys.stderr)
            error = repr(raised)
        print(json.dumps({"check": check, "error": error}))


def call(check, folder):
    """Call a check, with a fresh folder if it takes one."""
    if check.__name__.endswith("_on_flash"):
        os.mkdir(folder)
        check(folder)
    else:
        check()


main(*sys.argv[1:])

"""`python -m tests.simulation`: the same as `gridledger simulate`."""

import sys

from tests.simulation.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

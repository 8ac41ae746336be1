"""What makes peers that run the same transaction disagree, found in a contract's source.

    for finding in findings(source, "market.py"):
        print(finding)      # market.py:12:19: clock: the machine's clock differs between peers; …

Rules: `clock`, `randomness`, `floats`, `set-order`, `io`, `threads`, `environment`, `identity`,
`memory` (changes to what outlives a transaction) and `syntax`. A line that is fine all the same
says why in a comment that begins with `deterministic:`. The check reads source and runs nothing
of it; it finds the usual mistakes, not malice: running a transaction twice under two hash seeds
(`chaincode.shim.testing.run_twice`) shows what reading cannot.
"""

from chaincode.shim.determinism.finding import Finding
from chaincode.shim.determinism.reached_modules import module_findings
from chaincode.shim.determinism.source_check import findings

__all__ = ["Finding", "findings", "module_findings"]

"""How members agree on a chaincode: definitions, approvals, commits, trials; `_lifecycle`."""

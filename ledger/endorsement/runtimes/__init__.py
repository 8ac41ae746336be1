"""Whatever runs a chaincode: processes, services, streams, and the session with one."""

"""What one simulation may use. A transaction over a limit is refused by name, never cut."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Bounds of one rich query."""

    text_bytes_max: int = 64 * 1024
    """The query as JSON."""
    rows_max: int = 100_000
    """Rows looked at."""
    time_ms: int = 5_000
    found_bytes_max: int = 16 * 1024 * 1024
    """Keys and values that match, together."""


@dataclass(frozen=True, slots=True)
class SimulationLimits:
    """Bounds of one transaction's simulation on this peer.

    Peers of a channel should agree on them: a proposal that passes here and fails there gathers
    no endorsements.
    """

    reads_max: int = 10_000
    """Keys read, one by one or in scans."""
    writes_max: int = 5_000
    write_bytes_max: int = 1024 * 1024
    """Keys and values written, together."""
    range_queries_max: int = 1_000
    """Scans in one transaction."""
    argument_bytes_max: int = 1024 * 1024
    """All arguments and transient data of a proposal."""
    result_bytes_max: int = 1024 * 1024
    """Result and event payload of a contract."""
    system_result_bytes_max: int = 16 * 1024 * 1024
    """Answer of a system chaincode: a whole block of `qscc`, 8 MiB and its metadata. It stands
    twice in the response, which must fit a client's message."""
    rwset_bytes_max: int = 2 * 1024 * 1024
    """The encoded read-write set."""
    queries: QueryLimits = field(default_factory=QueryLimits)


@dataclass(frozen=True, slots=True)
class RuntimeLimits:
    """Bounds of whatever runs a chaincode."""

    transaction_timeout_ms: int = 30_000
    """A whole simulation, waiting for its turn included."""
    start_timeout_ms: int = 20_000
    """From the beginning of a process or a stream to its registration."""
    in_flight_max: int = 512
    """Transactions in the chaincode at once; further ones wait."""
    waiting_max: int = 4_096
    """Transactions that wait for a place; further ones are refused."""
    attempts_max: int = 3
    """Lives a transaction may see end by another's fault before it fails too."""
    restart_backoff_ms: int = 100
    """Wait before the second restart in a row; doubled each time."""
    restart_backoff_max_ms: int = 5_000
    frame_bytes_max: int = 16 * 1024 * 1024
    """One message from the chaincode."""


@dataclass(frozen=True, slots=True)
class ProcessLimits(RuntimeLimits):
    """Bounds of a chaincode process of this peer."""

    memory_bytes: int = 256 * 1024 * 1024
    execute_timeout_ms: int = 5_000
    """One uninterrupted run of contract code, between two requests to the peer."""
    stop_timeout_ms: int = 2_000
    """From closing the socket to killing the process."""
    log_line_bytes_max: int = 2_000
    log_lines_per_second: int = 200


@dataclass(frozen=True, slots=True)
class StreamLimits(RuntimeLimits):
    """Bounds of a chaincode that others run: the peer has only its stream."""

    restart_backoff_max_ms: int = 1_000
    start_timeout_ms: int = 3_000
    """From the beginning of a stream to its registration, where the settings say nothing."""
    absence_timeout_ms: int = 3_000
    """A transaction waits so long for a chaincode that is not there."""
    unsent_bytes_max: int = 32 * 1024 * 1024
    """Answers the chaincode has not taken; nothing more is read from it until it takes them."""
    keepalive_ms: int = 0
    """A KEEPALIVE message after so long without a word from the chaincode; 0: never, as in
    Fabric. One without an answer in the same time again ends the stream."""

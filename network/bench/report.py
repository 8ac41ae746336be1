"""The benchmark's figures, and how they are printed."""

from dataclasses import dataclass
from statistics import median

MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class Run:
    """One level of one client: medians over its repetitions."""

    client: str
    in_flight: int
    transactions: int
    tps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_per_tx: float
    client_cpu_ms_per_tx: float
    """Of the CPU per transaction, what the client's own process used."""
    disk_bytes_per_tx: float
    tx_per_block: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `--json` prints."""

    runs: list[Run]
    resident_mb: dict[str, float]


def median_run(runs: list[Run]) -> Run:
    """Each figure is the median of its own over the repetitions."""

    def middle(name: str) -> float:
        values: list[float] = [getattr(run, name) for run in runs]
        return round(median(values), 2)

    return Run(
        client=runs[0].client,
        in_flight=runs[0].in_flight,
        transactions=runs[0].transactions,
        tps=middle("tps"),
        p50_ms=middle("p50_ms"),
        p95_ms=middle("p95_ms"),
        p99_ms=middle("p99_ms"),
        cpu_ms_per_tx=middle("cpu_ms_per_tx"),
        client_cpu_ms_per_tx=middle("client_cpu_ms_per_tx"),
        disk_bytes_per_tx=middle("disk_bytes_per_tx"),
        tx_per_block=middle("tx_per_block"),
    )


def percentile_ms(ordered: list[float], percent: int) -> float:
    """Milliseconds, from seconds in ascending order."""
    index = min(len(ordered) - 1, len(ordered) * percent // 100)
    return round(ordered[index] * MILLISECONDS, 1)


def _line(run: Run) -> str:
    return (
        f"{run.client:<8} {run.in_flight:>9} {run.tps:>9.1f} {run.p50_ms:>9.1f} "
        f"{run.p95_ms:>9.1f} {run.p99_ms:>9.1f} {run.cpu_ms_per_tx:>10.2f} "
        f"{run.client_cpu_ms_per_tx:>9.2f} {run.disk_bytes_per_tx:>11.0f} {run.tx_per_block:>9.1f}"
    )


def report_table(report: Report) -> str:
    """Both tables for people."""
    head = (
        f"{'client':<8} {'in flight':>9} {'tx/s':>9} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} "
        f"{'CPU ms/tx':>10} {'of client':>9} {'disk B/tx':>11} {'tx/block':>9}"
    )
    memory = "\n".join(f"  {name:<24} {mb:>7.1f} MB" for name, mb in report.resident_mb.items())
    lines = [head, *map(_line, report.runs), "", "resident memory", memory]
    return "\n".join(lines)

"""`gridledger chaincode serve MODULE`: a contract as a service, for Fabric's peers and ours.

    gridledger chaincode serve market.contracts --address 0.0.0.0:9999
        --chaincode-id market_1.0:3f… --tls-cert server.crt --tls-key server.key

The chaincode id is the package id that `peer lifecycle chaincode install` prints (or
`gridledger chaincode install`); Fabric's environment variables stand in for options left out.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from chaincode.shim.chaincode import Chaincode, load_chaincode
from chaincode.shim.errors import DefinitionError
from chaincode.shim.service import ChaincodeService, ServiceTls
from chaincode.shim.session import PEER_MSPID_VARIABLE
from chaincode.shim.time_limit import TimeLimit

ADDRESS_VARIABLE = "CHAINCODE_SERVER_ADDRESS"
ID_VARIABLES = ("CORE_CHAINCODE_ID", "CORE_CHAINCODE_ID_NAME", "CHAINCODE_ID")
EXECUTE_TIMEOUT_MS = 30_000
WRONG_USE, FAILED = 2, 1


class WrongUse(ValueError):  # noqa: N818 - what the user gave, in one sentence
    """The command cannot run with what it was given."""


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    output: TextIO | None = None,
    errors: TextIO | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C; 0: stopped, 1: cannot listen, 2: wrong use."""
    output, errors = output or sys.stdout, errors or sys.stderr
    options = _options(environment).parse_args(arguments)
    logging.basicConfig(level=options.log_level, format="%(levelname)s %(name)s %(message)s")
    try:
        chaincode, service = _service(options, environment)
    except WrongUse as error:
        errors.write(f"gridledger chaincode serve: {error}\n")
        return WRONG_USE
    try:
        asyncio.run(_serve(service, chaincode, options, output))
    except RuntimeError as error:  # gRPC's, when it cannot bind
        errors.write(f"gridledger chaincode serve: cannot listen at {options.address}: {error}\n")
        return FAILED
    return 0


def _service(
    options: argparse.Namespace, environment: Mapping[str, str]
) -> tuple[Chaincode, ChaincodeService]:
    if not options.address or not options.chaincode_id:
        raise WrongUse(
            f"--address and --chaincode-id are needed (or {ADDRESS_VARIABLE}, {ID_VARIABLES[0]})"
        )
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        chaincode = load_chaincode(options.module, version=options.version)
    except (ImportError, DefinitionError) as error:
        raise WrongUse(f"{options.module} cannot be loaded: {error}") from error
    service = ChaincodeService(
        chaincode,
        options.chaincode_id,
        address=options.address,
        tls=_tls(options),
        mspid=environment.get(PEER_MSPID_VARIABLE, ""),
        time_limit=TimeLimit(options.execute_timeout_ms),
    )
    return chaincode, service


def _tls(options: argparse.Namespace) -> ServiceTls | None:
    files = (options.tls_cert, options.tls_key, options.tls_client_ca)
    if not any(files):
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise WrongUse("--tls-cert and --tls-key belong together")
    try:
        certificate, key, client_ca = (path.read_bytes() if path else b"" for path in files)
    except OSError as error:
        raise WrongUse(str(error)) from error
    return ServiceTls(certificate, key, client_ca)


async def _serve(
    service: ChaincodeService, chaincode: Chaincode, options: argparse.Namespace, output: TextIO
) -> None:
    port = await service.start()
    host = options.address.rpartition(":")[0]
    names = ", ".join(chaincode.names)
    protection = "TLS" if options.tls_cert else "no TLS"
    output.write(f"{options.chaincode_id}: {names} at {host}:{port} ({protection})\n")
    output.flush()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    await service.stop()


def _options(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    chaincode_id = next((environment[name] for name in ID_VARIABLES if name in environment), "")
    parser = argparse.ArgumentParser(
        prog="gridledger chaincode serve",
        description="Runs a contract as a gRPC service (chaincode as a service) that peers dial.",
    )
    parser.add_argument("module", help="module with CONTRACTS = (…), such as market.contracts")
    parser.add_argument(
        "--address",
        default=environment.get(ADDRESS_VARIABLE, ""),
        help=f"host:port to listen at ({ADDRESS_VARIABLE})",
    )
    parser.add_argument(
        "--chaincode-id",
        default=chaincode_id,
        help=f"the installed package's id, label:hash ({ID_VARIABLES[0]})",
    )
    parser.add_argument("--version", default="1.0", help="shown in the contract's description")
    parser.add_argument("--tls-cert", type=Path, help="PEM certificate of this service")
    parser.add_argument("--tls-key", type=Path, help="PEM key of this service")
    parser.add_argument(
        "--tls-client-ca", type=Path, help="PEM authority whose peers may connect, no others"
    )
    parser.add_argument(
        "--execute-timeout-ms",
        type=int,
        default=EXECUTE_TIMEOUT_MS,
        help="longest run of contract code without a pause (default %(default)s, 0: no limit)",
    )
    parser.add_argument("--log-level", default="INFO")
    return parser

"""`gridledger chaincode serve MODULE`: a contract as a service, for Fabric's peers and ours.

    gridledger chaincode serve market.contracts --address 0.0.0.0:9999
        --chaincode-id market_1.0:3f… --tls-cert server.crt --tls-key server.key
    gridledger chaincode serve market.contracts --peer peer:7052 --chaincode-id market:1.0

The first form listens for peers, the second dials one.

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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chaincode.shim.chaincode import Chaincode, load_chaincode
from chaincode.shim.dialling import DiallingChaincode, PeerTls
from chaincode.shim.errors import DefinitionError, ProtocolError
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
        chaincode = _loaded(options)
        tls = _tls(options)
        mspid = environment.get(PEER_MSPID_VARIABLE, "")
        if options.peer:
            asyncio.run(
                _dial(_dialling(chaincode, options, tls, mspid), chaincode, options, output)
            )
        else:
            asyncio.run(
                _serve(_service(chaincode, options, tls, mspid), chaincode, options, output)
            )
    except WrongUse as error:
        errors.write(f"gridledger chaincode serve: {error}\n")
        return WRONG_USE
    except ProtocolError as error:
        errors.write(f"gridledger chaincode serve: {error}\n")
        return FAILED
    except RuntimeError as error:  # gRPC's, when it cannot bind
        errors.write(f"gridledger chaincode serve: cannot listen at {options.address}: {error}\n")
        return FAILED
    return 0


def _loaded(options: argparse.Namespace) -> Chaincode:
    if not (options.address or options.peer) or not options.chaincode_id:
        raise WrongUse(
            f"--chaincode-id ({ID_VARIABLES[0]}) and either --address ({ADDRESS_VARIABLE})"
            " or --peer are needed"
        )
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        return load_chaincode(options.module, version=options.version)
    except (ImportError, DefinitionError) as error:
        raise WrongUse(f"{options.module} cannot be loaded: {error}") from error


@dataclass(frozen=True, slots=True)
class _TlsFiles:
    """Contents of the files named; empty where none was."""

    certificate: bytes
    key: bytes
    ca: bytes


def _tls(options: argparse.Namespace) -> _TlsFiles | None:
    files = (options.tls_cert, options.tls_key, options.tls_ca)
    if not any(files):
        return None
    if (options.tls_cert is None) != (options.tls_key is None):
        raise WrongUse("--tls-cert and --tls-key belong together")
    if options.tls_cert is None and not options.peer:
        raise WrongUse("--tls-ca alone protects nothing: --tls-cert and --tls-key are needed")
    try:
        return _TlsFiles(*(path.read_bytes() if path else b"" for path in files))
    except OSError as error:
        raise WrongUse(str(error)) from error


def _service(
    chaincode: Chaincode, options: argparse.Namespace, tls: _TlsFiles | None, mspid: str
) -> ChaincodeService:
    return ChaincodeService(
        chaincode,
        options.chaincode_id,
        address=options.address,
        tls=None if tls is None else ServiceTls(tls.certificate, tls.key, tls.ca),
        mspid=mspid,
        time_limit=TimeLimit(options.execute_timeout_ms),
    )


def _dialling(
    chaincode: Chaincode, options: argparse.Namespace, tls: _TlsFiles | None, mspid: str
) -> DiallingChaincode:
    shown = None
    if tls is not None:
        shown = PeerTls(tls.ca, tls.certificate, tls.key, options.peer_name)
    return DiallingChaincode(
        chaincode,
        options.chaincode_id,
        peer_address=options.peer,
        tls=shown,
        mspid=mspid,
        time_limit=TimeLimit(options.execute_timeout_ms),
    )


async def _serve(
    service: ChaincodeService, chaincode: Chaincode, options: argparse.Namespace, output: TextIO
) -> None:
    port = await service.start()
    host = options.address.rpartition(":")[0]
    _tell(chaincode, options, f"at {host}:{port}", output)
    await _told_to_stop().wait()
    await service.stop()


async def _dial(
    dialling: DiallingChaincode, chaincode: Chaincode, options: argparse.Namespace, output: TextIO
) -> None:
    _tell(chaincode, options, f"dials {options.peer}", output)
    stopping = asyncio.create_task(_told_to_stop().wait())
    running = asyncio.create_task(dialling.run())
    await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _tell(chaincode: Chaincode, options: argparse.Namespace, what: str, output: TextIO) -> None:
    protection = "TLS" if options.tls_cert or options.tls_ca else "no TLS"
    output.write(f"{options.chaincode_id}: {', '.join(chaincode.names)} {what} ({protection})\n")
    output.flush()


def _told_to_stop() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _options(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    chaincode_id = next((environment[name] for name in ID_VARIABLES if name in environment), "")
    parser = argparse.ArgumentParser(
        prog="gridledger chaincode serve",
        description="Runs a contract as a gRPC service that peers dial (chaincode as a service),"
        " or dials a peer.",
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
    parser.add_argument("--peer", default="", help="host:port of a peer to dial, in place of that")
    parser.add_argument(
        "--peer-name", default="", help="name in the peer's certificate where it is not its host"
    )
    parser.add_argument("--version", default="1.0", help="shown in the contract's description")
    parser.add_argument("--tls-cert", type=Path, help="PEM certificate of this chaincode")
    parser.add_argument("--tls-key", type=Path, help="PEM key of this chaincode")
    parser.add_argument(
        "--tls-ca", type=Path, help="PEM authority of the peers; no others may connect then"
    )
    parser.add_argument(
        "--execute-timeout-ms",
        type=int,
        default=EXECUTE_TIMEOUT_MS,
        help="longest run of contract code without a pause (default %(default)s, 0: no limit)",
    )
    parser.add_argument("--log-level", default="INFO")
    return parser

"""Chaincode: the contracts of one deployment, and the dispatch of a call to its function."""

import importlib
import logging
from collections.abc import Callable, Sequence

from chaincode.shim.arguments import encode_result
from chaincode.shim.contract import (
    EVALUATE,
    SHOWN_NAME_LENGTH,
    Context,
    Contract,
    ContractFunction,
    contract_functions,
)
from chaincode.shim.errors import (
    STATUS_INTERNAL_ERROR,
    STATUS_OK,
    ContractError,
    DefinitionError,
    PeerError,
)
from chaincode.shim.json_values import canonical_json
from chaincode.shim.metadata import contract_metadata
from chaincode.shim.requests import Response
from chaincode.shim.stub import ChaincodeStub

log = logging.getLogger(__name__)

SYSTEM_CONTRACT = "org.hyperledger.fabric"
METADATA_FUNCTIONS = frozenset(
    {f"{SYSTEM_CONTRACT}:GetMetadata", f"{SYSTEM_CONTRACT}:get_metadata"}
)
STATUS_MIN, STATUS_MAX = 400, 599


class Chaincode:
    """Runs functions by `contract:function`; without a contract name, the first contract's."""

    def __init__(
        self,
        contracts: Sequence[Contract],
        *,
        version: str = "1.0",
        on_bug: Callable[[str, Exception], None] = lambda _tx_id, _error: None,
    ) -> None:
        """`on_bug` is told transaction id and exception when a contract raises by mistake."""
        if not contracts:
            raise DefinitionError("a chaincode needs at least one contract")
        self._version = version
        self._on_bug = on_bug
        self._contracts = {contract.get_name(): contract for contract in contracts}
        self._default = contracts[0]
        self._names = tuple(contract.get_name() for contract in contracts)
        if len(set(self._names)) != len(self._names):
            raise DefinitionError("two contracts have the same name")
        self._functions: dict[str, tuple[Contract, ContractFunction]] = {}
        for contract in reversed(contracts):
            for name, function in contract_functions(contract).items():
                self._functions[f"{contract.get_name()}:{name}"] = (contract, function)
                if contract is contracts[0]:
                    self._functions[name] = (contract, function)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the contracts; the first is the default."""
        return self._names

    async def invoke(self, stub: ChaincodeStub) -> Response:
        """Run the call; never raises: every failure is a response with status 400 or above.

        When the function succeeds, its writes have been handed to the peer.
        """
        args = stub.get_args()
        called = args[0].decode("utf-8", "replace") if args else ""
        try:
            if called in METADATA_FUNCTIONS:
                return Response(STATUS_OK, "", canonical_json(self.describe()))
            payload = await self._run(called, stub)
            for request in stub.write_requests():
                await request
        except ContractError as error:
            return _refusal(error)
        except PeerError as error:
            return Response(STATUS_INTERNAL_ERROR, f"PEER_REFUSED: {error}", b"")
        except Exception as error:
            # The client learns the kind only: texts of foreign exceptions may hold state.
            log.exception("transaction %s failed in %s", stub.get_tx_id(), called)
            self._on_bug(stub.get_tx_id(), error)
            return Response(
                STATUS_INTERNAL_ERROR,
                f"INTERNAL: {called[:SHOWN_NAME_LENGTH]} failed with {type(error).__name__}",
                b"",
            )
        return Response(STATUS_OK, "", payload)

    def describe(self) -> dict[str, object]:
        """All contracts and functions, in the form of Fabric's contract metadata."""
        functions = {
            name: [
                function
                for key, (contract, function) in sorted(self._functions.items())
                if contract.get_name() == name and key.startswith(f"{name}:")
            ]
            for name in self._names
        }
        return contract_metadata(functions, version=self._version)

    async def _run(self, called: str, stub: ChaincodeStub) -> bytes:
        context = Context(stub)
        found = self._functions.get(called)
        if found is None:
            return encode_result(await self._addressed(called).unknown_transaction(context))
        contract, function = found
        arguments = function.parse_arguments(stub.get_args()[1:])
        await contract.before_transaction(context)
        result = await function.method(context, *arguments)
        await contract.after_transaction(context, result)
        if function.kind == EVALUATE and stub.has_writes:
            raise ContractError("QUERY_WRITES", f"{function.name} is a query and may not write")
        return encode_result(result)

    def _addressed(self, called: str) -> Contract:
        """The contract named before the colon, else the first."""
        name, colon, _ = called.rpartition(":")
        return self._contracts.get(name if colon else self._names[0], self._default)


def load_chaincode(module_name: str, *, version: str = "1.0") -> Chaincode:
    """The chaincode of a module that names its contract classes in `CONTRACTS`."""
    module = importlib.import_module(module_name)
    classes = getattr(module, "CONTRACTS", None)
    if not classes:
        raise DefinitionError(f"{module_name} has no CONTRACTS = (ContractClass, …)")
    return Chaincode([cls() for cls in classes], version=version)


def _refusal(error: ContractError) -> Response:
    status = error.status if STATUS_MIN <= error.status <= STATUS_MAX else STATUS_INTERNAL_ERROR
    one_line = " ".join(f"{error.code}: {error.message}".split())
    return Response(status, one_line, b"")

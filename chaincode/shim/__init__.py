"""What contracts import: see `chaincode.shim.contract` for how one is written."""

from chaincode.shim.client_identity import ClientIdentity
from chaincode.shim.contract import Context, Contract, query, transaction
from chaincode.shim.crypto import verify_p256
from chaincode.shim.errors import ContractError
from chaincode.shim.json_values import canonical_json, parse_json
from chaincode.shim.key_policy import KeyPolicy, signed_by_all
from chaincode.shim.private_data import implicit_collection
from chaincode.shim.requests import KeyModification, KeyValue, Response
from chaincode.shim.stub import ChaincodeStub

__all__ = [
    "ChaincodeStub",
    "ClientIdentity",
    "Context",
    "Contract",
    "ContractError",
    "KeyModification",
    "KeyPolicy",
    "KeyValue",
    "Response",
    "canonical_json",
    "implicit_collection",
    "parse_json",
    "query",
    "signed_by_all",
    "transaction",
    "verify_p256",
]

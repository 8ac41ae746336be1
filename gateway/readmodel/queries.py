"""Everything the read model is asked by method; see the package's text for an index."""

from gateway.readmodel.block_queries import BlockQueries
from gateway.readmodel.state_queries import StateQueries
from gateway.readmodel.transaction_queries import TransactionQueries


class ReadModel(StateQueries, BlockQueries, TransactionQueries):
    """The ledger up to `height`, out of the database. Calls block.

    Every method reads one state of the database. Inside `with readmodel.at_one_height():` several
    of them read the same one: their answers then fit together even while blocks arrive.
    """

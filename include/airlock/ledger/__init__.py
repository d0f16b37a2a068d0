"""The ledger: what happened to every transfer and every instance. It holds no patient data."""

from airlock.ledger.asked import Asked, account
from airlock.ledger.chain import ChainReport, Event
from airlock.ledger.deliveries import UNNAMED
from airlock.ledger.facts import Counts, TransferSummary
from airlock.ledger.ledger import Ledger
from airlock.ledger.models import InstanceState, TransferState
from airlock.ledger.statuses import OwedStatus
from airlock.ledger.update import InstanceUpdate

__all__ = [
    "UNNAMED",
    "Asked",
    "ChainReport",
    "Counts",
    "Event",
    "InstanceState",
    "InstanceUpdate",
    "Ledger",
    "OwedStatus",
    "TransferState",
    "TransferSummary",
    "account",
]

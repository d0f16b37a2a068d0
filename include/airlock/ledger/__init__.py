"""The ledger: what happened to every transfer and every instance. It holds no patient data."""

from airlock.ledger.ledger import Counts, InstanceUpdate, Ledger, TransferSummary
from airlock.ledger.models import InstanceState, TransferState

__all__ = ["Counts", "InstanceState", "InstanceUpdate", "Ledger", "TransferState", "TransferSummary"]

"""REDCap: the status of every transfer, in the fields that FIONA's users know."""

from airlock.redcap.client import RedcapClient
from airlock.redcap.step import Outcome, mapped_uids_of, outcome_of, tell_running, update_redcap

__all__ = ["Outcome", "RedcapClient", "mapped_uids_of", "outcome_of", "tell_running", "update_redcap"]

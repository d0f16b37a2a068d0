"""Proof: what the destination acknowledged counts as sent only when it shows it, or commits itself to it."""

from __future__ import annotations

from collections.abc import Sequence

from airlock.deliver.consignment import Consignment
from airlock.deliver.files import path_of, series_uid_of, sop_uid_of, study_uid_of
from airlock.deliver.outlets import Sent
from airlock.dicomio.header import read_header
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.transfer import Transfer


def look(consignment: Consignment) -> list[InstanceUpdate]:
    """Move what is proven from `ACKNOWLEDGED` to `SENT`; return the others.

    :raises PeerUnavailable: no answer, or the PACS doesn't commit itself in time.
    :raises AssociationRejected: the destination doesn't offer the service that the policy names.
    :raises AssociationAborted: the association ended in the middle.
    """
    waiting = consignment.instances(InstanceState.ACKNOWLEDGED)
    if not waiting:
        return []
    sent = [_sent(consignment.transfer, instance) for instance in waiting]
    policy = consignment.policy
    if policy.proof == "storage-commitment":
        proven = consignment.outlet.commits(sent, policy.commitment_seconds)
    else:
        proven = consignment.outlet.shows(sent)
    consignment.record(InstanceUpdate(i.id, InstanceState.SENT, reason="") for i in waiting if i.id in proven)
    return [instance for instance in waiting if instance.id not in proven]


def shown(consignment: Consignment, instances: Sequence[InstanceUpdate]) -> set[str]:
    """Return the ids of the instances that the destination shows. Raises as :func:`look`."""
    return consignment.outlet.shows([_sent(consignment.transfer, instance) for instance in instances])


def _sent(transfer: Transfer, instance: InstanceUpdate) -> Sent:
    workspace = transfer.workspace
    path = path_of(workspace, instance)
    return Sent(
        instance.id,
        study_uid_of(workspace, path),
        series_uid_of(workspace, path),
        sop_uid_of(instance, path),
        instance.sop_class_uid or read_header(path).media_sop_class_uid,
    )

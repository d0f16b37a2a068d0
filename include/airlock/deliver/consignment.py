"""Consignment: what of a transfer goes to one destination, and how."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airlock.deliver.comments import Comment, keep
from airlock.deliver.outlets import Outlet, Remote, outlet_to
from airlock.errors import Cancelled, PolicyError
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.project import DestinationPolicy
from airlock.transfer import Transfer

Peers = Remote | Mapping[str, Remote]
"""The destination of a transfer, or its destinations by the names of their connections."""


@dataclass(frozen=True)
class Consignment:
    """The instances of a transfer on their way to one destination.

    :param among: names of all destinations of the transfer.
    :param stop: set when nothing more is to be sent to any of them.
    """

    transfer: Transfer
    policy: DestinationPolicy
    outlet: Outlet
    among: tuple[str, ...]
    stop: threading.Event

    @property
    def destination(self) -> str:
        """Its name in the ledger: that of its connection."""
        return self.policy.connection

    def instances(self, *states: InstanceState) -> list[InstanceUpdate]:
        """Return those in one of these states at this destination."""
        return self.transfer.ledger.deliveries(self.transfer.id, self.destination, *states)

    def record(self, updates: Iterable[InstanceUpdate]) -> None:
        """Write what became of instances at this destination."""
        self.transfer.ledger.record_deliveries(self.transfer.id, self.destination, updates, self.among)

    def take_back(self, instances: Sequence[InstanceUpdate], reason: str | None = None) -> None:
        """Have instances sent again.

        :param reason: why; None leaves the one there is.
        """
        self.record(InstanceUpdate(instance.id, InstanceState.READY, reason=reason) for instance in instances)

    def check_going(self) -> None:
        """Go on, unless the work at the destinations was stopped.

        :raises Cancelled: when it was. It is not told: whoever stopped it knows why.
        """
        if self.stop.is_set():
            raise Cancelled("The work at the destinations was stopped. Clear the task to go on.")

    def event(self, step: str, kind: str, **detail: Any) -> None:
        """Append an event that names the destination."""
        self.transfer.ledger.event(self.transfer.id, step, kind, destination=self.destination, **detail)

    def last_event(self, step: str) -> str:
        """Return the kind of the last event of a step at this destination; empty when there is none."""
        for _, of, kind, detail in reversed(self.transfer.ledger.events(self.transfer.id)):
            if of == step and detail.get("destination", self.destination) == self.destination:
                return str(kind)
        return ""

    def keep_comment(self, instance_id: str, status: int, comment: str) -> None:
        """Keep what the destination said of an instance, in the workspace and nowhere else."""
        keep(self.transfer.workspace, Comment(self.destination, instance_id, status, comment))


def consign(transfer: Transfer, peers: Peers) -> list[Consignment]:
    """Return a consignment per destination of the project's policy, with the ledger told of them.

    :raises PolicyError: when a destination has no connection, or one of another kind than its method.
    """
    targets = transfer.policy.targets
    by_name = peers if isinstance(peers, Mapping) else {targets[0].connection: peers}
    names = tuple(target.connection for target in targets)
    if missing := [name for name in names if name not in by_name]:
        raise PolicyError(f"The destinations {', '.join(missing)} have no connection. Make it, or correct the policy.")
    stop = threading.Event()
    consignments = [
        Consignment(transfer, target, outlet_to(by_name[target.connection], target), names, stop) for target in targets
    ]
    transfer.ledger.consign(transfer.id, names)
    return consignments

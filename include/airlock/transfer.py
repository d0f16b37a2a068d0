"""Transfer: everything a step needs, found by the opaque transfer id."""

from __future__ import annotations

from dataclasses import dataclass

from airlock.database import upgrade
from airlock.identity.keys import KeyRing
from airlock.ledger import Ledger
from airlock.project import ProjectPolicy, find_policy
from airlock.request.model import TransferRequest
from airlock.request.store import RequestStore
from airlock.settings import Settings, load_settings
from airlock.workspace import Workspace


@dataclass(frozen=True)
class Transfer:
    """One transfer, opened by a step.

    A step is a function `step(transfer, ...) -> Counts` in its room's `step.py`. It reads an earlier folder of
    `workspace`, writes its own with :meth:`Workspace.writing`, tells the ledger what became of each instance, and
    raises one of `airlock.errors`. Run again after it was finished, it does nothing.
    """

    id: str
    request: TransferRequest
    policy: ProjectPolicy
    workspace: Workspace
    ledger: Ledger
    keys: KeyRing
    settings: Settings

    @classmethod
    def open(cls, transfer_id: str, settings: Settings | None = None) -> Transfer:
        """Open a transfer whose request was accepted.

        :raises UnknownProject: when its project has no policy.
        """
        settings = settings or load_settings()
        request = RequestStore(settings.proc_folder).get(transfer_id).request
        return cls(
            id=transfer_id,
            request=request,
            policy=find_policy(settings.projects, request.transfer_project_name),
            workspace=workspace_of(transfer_id, settings),
            ledger=open_ledger(settings),
            keys=KeyRing.load(settings.key_path),
            settings=settings,
        )

    def instance_id(self, original: str) -> str:
        """Return the pseudonymous id of an instance, for logs, file names and the ledger.

        :param original: its SOPInstanceUID, or whatever else tells it from the others when it has none.
        """
        return "i-" + self.keys.token(f"instance-id/{self.id}", original, length=24)


def workspace_of(transfer_id: str, settings: Settings) -> Workspace:
    """Return the workspace of a transfer."""
    return Workspace(settings.transfers_folder.absolute() / transfer_id)


def open_ledger(settings: Settings) -> Ledger:
    """Return the ledger, making or migrating its tables when this process opens it first."""
    prepare_ledger(settings)
    return Ledger(settings.ledger)


def prepare_ledger(settings: Settings) -> None:
    """Make or migrate the ledger's tables, unless this process or the one it was forked from has done so."""
    if settings.ledger not in _upgraded:
        upgrade(settings.ledger, "ledger")
        _upgraded.add(settings.ledger)


_upgraded: set[str] = set()

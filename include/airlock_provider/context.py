"""What a task finds out from its Airflow context: which transfer it works for, and which peers that one talks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.identity.keys import KeyRing
from airlock.project import DestinationPolicy, ProjectPolicy
from airlock.request.model import TransferRequest, validate_request
from airlock.settings import Settings, load_settings
from airlock.transfer import Transfer

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airlock.dicomio.peer import Peer
    from airlock.dicomio.webpeer import WebPeer

REQUEST_FIELDS = (
    "study_instance_uid",
    "transfer_project_name",
    "transfer_name",
    "transfer_event_name",
    "redcap_repeat_instance",
)
OPTION_FIELDS = ("dry_run", "stop_before_send", "priority")
SOURCE_FIELDS = ("method", "connection")


def request_from_form(conf: dict[str, Any]) -> TransferRequest:
    """Build the request that the trigger form, REST or the command line describes.

    :param conf: the run's configuration; the form is flat, so `method` and `connection` make the request's `source`.
    :raises InvalidRequest: when it is not a whole, valid request.
    """
    given = {name: value for name, value in conf.items() if value not in (None, "")}
    document: dict[str, Any] = {name: given[name] for name in REQUEST_FIELDS if name in given}
    for part, names in (("source", SOURCE_FIELDS), ("options", OPTION_FIELDS)):
        values = {name: given[name] for name in names if name in given}
        if values:
            document[part] = values
    return validate_request(document)


def transfer_id_of(conf: dict[str, Any], settings: Settings) -> str:
    """Return the transfer a run configuration is about; it is the same on every door.

    :raises InvalidRequest: when the configuration is neither a transfer id nor a valid request.
    """
    if conf.get("transfer_id"):
        return str(conf["transfer_id"])
    return request_from_form(conf).transfer_id(KeyRing.load(settings.key_path))


def configuration(context: Context) -> dict[str, Any]:
    """Return the run's configuration, with the form's defaults where it says nothing."""
    dag_run = context["dag_run"]
    return {**dict(context["params"]), **(dag_run.conf or {})}


def open_transfer(context: Context) -> Transfer:
    """Open the transfer that the task's run is about."""
    settings = load_settings()
    return Transfer.open(transfer_id_of(configuration(context), settings), settings)


def destinations_of(transfer: Transfer) -> dict[str, Peer | WebPeer]:
    """Return the PACSs a transfer is sent to, by the names of their connections."""
    return {target.connection: destination_peer(target) for target in transfer.policy.targets}


def destination_peer(target: DestinationPolicy) -> Peer | WebPeer:
    """Return the PACS that a destination is."""
    from airlock_provider.hooks.dicom import DicomHook
    from airlock_provider.hooks.dicomweb import DicomWebHook

    if target.method == "stow-rs":
        return DicomWebHook(target.connection).peer
    return DicomHook(target.connection).peer


def source_of(transfer: Transfer) -> Peer | WebPeer | None:
    """Return the PACS a transfer reads from; None when it reads from the raw folder."""
    from airlock_provider.hooks.dicom import DicomHook
    from airlock_provider.hooks.dicomweb import DicomWebHook

    source = transfer.request.source or transfer.policy.source
    if source.method == "raw":
        return None
    connection = source_connection(transfer.request, transfer.policy)
    if source.method == "dicomweb":
        return DicomWebHook(connection or DicomWebHook.default_conn_name).peer
    return DicomHook(connection or DicomHook.default_conn_name).peer


def source_connection(request: TransferRequest, policy: ProjectPolicy) -> str | None:
    """Return the id of the connection that a study is pulled over; None for the raw folder, and when none is named."""
    source = request.source or policy.source
    return None if source.method == "raw" else source.connection or policy.source.connection

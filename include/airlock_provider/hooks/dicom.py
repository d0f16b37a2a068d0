"""DicomHook: a DICOM application entity as an Airflow connection."""

from __future__ import annotations

from functools import cached_property

from airflow.sdk import BaseHook

from airlock.dicomio.echo import echo
from airlock.dicomio.peer import Peer
from airlock.errors import AirlockError
from airlock_provider.hooks.connections import get_connection


class DicomHook(BaseHook):
    """Where a PACS is, and how we talk to it.

    :param dicom_conn_id: Airflow connection of type `dicom`. Its form says what each field means.
    """

    conn_name_attr = "dicom_conn_id"
    default_conn_name = "dicom_default"
    conn_type = "dicom"
    hook_name = "DICOM application entity"

    def __init__(self, dicom_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.dicom_conn_id = dicom_conn_id

    @cached_property
    def peer(self) -> Peer:
        """The peer that the connection describes.

        :raises PolicyError: when it describes none.
        """
        connection = get_connection(self.dicom_conn_id, self.hook_name)
        return Peer.from_parts(connection.host, connection.port, connection.extra_dejson)

    def get_conn(self) -> Peer:
        """Return the peer; associations are opened by the functions of `airlock.dicomio`."""
        return self.peer

    def test_connection(self) -> tuple[bool, str]:
        """Ask the peer for a C-ECHO (PS3.4 annex A)."""
        try:
            echo(self.peer)
        except AirlockError as error:
            return False, str(error)
        return True, f"{self.peer.name} answers C-ECHO to {self.peer.calling_aet}."

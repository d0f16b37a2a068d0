"""DicomWebHook: a DICOMweb service as an Airflow connection."""

from __future__ import annotations

from functools import cached_property

from airflow.sdk import BaseHook

from airlock.dicomio.find import StudyKeys
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import AirlockError
from airlock_provider.hooks.connections import get_connection


class DicomWebHook(BaseHook):
    """Where a DICOMweb service is, and how we identify ourselves.

    :param dicomweb_conn_id: Airflow connection of type `dicomweb`: the URL of the service as its host, login and
        password, and `token`, `verify_tls` (on when missing) and `timeout` (seconds) in its extra fields.
    """

    conn_name_attr = "dicomweb_conn_id"
    default_conn_name = "dicomweb_default"
    conn_type = "dicomweb"
    hook_name = "DICOMweb service"

    def __init__(self, dicomweb_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.dicomweb_conn_id = dicomweb_conn_id

    @cached_property
    def peer(self) -> WebPeer:
        """The service that the connection describes.

        :raises PolicyError: when it describes none.
        """
        connection = get_connection(self.dicomweb_conn_id, self.hook_name)
        return WebPeer.from_parts(connection.host, connection.login, connection.password, connection.extra_dejson)

    def get_conn(self) -> WebPeer:
        """Return the service; sessions are opened by :class:`airlock.dicomio.web.WebClient`."""
        return self.peer

    def test_connection(self) -> tuple[bool, str]:
        """Search a study that nobody has."""
        try:
            with WebClient(self.peer) as client:
                client.find_studies(StudyKeys("2.25.0"))
        except AirlockError as error:
            return False, str(error)
        return True, f"{self.peer.name} answers QIDO-RS."

"""Airflow provider of Airlock: hooks, operators, sensors and triggers."""

from __future__ import annotations

from typing import Any

from airlock_provider.keys import install

# Whatever of Airflow needs the deployment key has imported this package.
install()


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow: its connection types and their forms.

    Airflow finds this function by the entry point `apache_airflow_provider`.
    """
    return {
        "package-name": "airlock",
        "name": "Airlock",
        "description": "De-identified DICOM transfers to a research PACS.",
        "integrations": [
            {"integration-name": "DICOM", "external-doc-url": "https://www.dicomstandard.org/", "tags": ["protocol"]},
            {"integration-name": "REDCap", "external-doc-url": "https://project-redcap.org/", "tags": ["service"]},
        ],
        "hooks": [
            {"integration-name": "DICOM", "python-modules": ["airlock_provider.hooks.dicom"]},
            {"integration-name": "DICOM", "python-modules": ["airlock_provider.hooks.dicomweb"]},
            {"integration-name": "REDCap", "python-modules": ["airlock_provider.hooks.redcap"]},
        ],
        "connection-types": [_DICOM, _DICOMWEB, _REDCAP],
    }


def _title(label: str, description: str) -> dict[str, Any]:
    # PS3.5 section 6.2, AE: 16 characters at most.
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], "maxLength": 16}}


def _seconds(label: str, description: str) -> dict[str, Any]:
    return {
        "label": label,
        "description": f"{description} In seconds.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
    }


def _path(label: str, what: str) -> dict[str, Any]:
    description = f"Path of the PEM file that {what}"
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], "maxLength": 4096}}


_DICOM = {
    "connection-type": "dicom",
    "hook-class-name": "airlock_provider.hooks.dicom.DicomHook",
    "hook-name": "DICOM application entity",
    "conn-fields": {
        "called_aet": _title("Called AE title", "AE title of the peer. ANY-SCP when empty."),
        "calling_aet": _title("Calling AE title", "Our AE title, as the peer knows it. AIRLOCK when empty."),
        "move_aet": _title("C-MOVE destination", "AE title under which the peer sends to us. AIRLOCK when empty."),
        "move_port": {
            "label": "C-MOVE port",
            "description": "Port where what we pull with C-MOVE comes: of the service that receives, else of the pull. "
            "11113 when empty.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535},
        },
        "move_host": {
            "label": "C-MOVE address",
            "description": "Address that this port is bound to: 0.0.0.0 when the peer is another machine. "
            "127.0.0.1 when empty.",
            "schema": {"type": ["string", "null"], "maxLength": 255},
        },
        "move_caller": _title("C-MOVE sender", "AE title that the peer sends with. Any when empty."),
        "move_tls": {
            "label": "C-MOVE TLS",
            "description": "This port takes encrypted associations only, with the certificate below, and only from "
            "callers that show one of the authority below.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
        "acse_timeout": _seconds("Association timeout", "How long the peer may take to accept. 30 when empty."),
        "dimse_timeout": _seconds("Answer timeout", "How long the peer may take to answer. 60 when empty."),
        "network_timeout": _seconds("Idle timeout", "How long an association may be idle. 60 when empty."),
        "tls": {
            "label": "TLS",
            "description": "Encrypt associations (TLS 1.2 or newer) and check the peer's certificate.",
            "schema": {"type": ["boolean", "null"], "default": False},
        },
        "ca_file": _path("TLS authority", "issues the peer's certificate. What this machine trusts, when empty."),
        "cert_file": _path("TLS certificate", "we show, with its chain. None when empty."),
        "key_file": _path("TLS key", "belongs to it, without a password. In the certificate's file when empty."),
        "associations": {
            "label": "Associations",
            "description": "How many send at a time. 1 when empty.",
            "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 8},
        },
        "engine": {
            "label": "Sender",
            "description": "wire: files go out as they are, fast; pynetdicom: the library. wire when empty.",
            "schema": {"type": ["string", "null"], "enum": ["wire", "pynetdicom", "", None]},
        },
    },
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login", "password"],
        "relabeling": {"host": "Peer host", "port": "Peer port"},
        "placeholders": {"host": "pacs.example.org", "port": "104"},
    },
}

_DICOMWEB = {
    "connection-type": "dicomweb",
    "hook-class-name": "airlock_provider.hooks.dicomweb.DicomWebHook",
    "hook-name": "DICOMweb service",
    "conn-fields": {
        "token": {
            "label": "Bearer token",
            "description": "Instead of login and password.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "verify_tls": {
            "label": "Check the certificate",
            "description": "Switch this off in a closed test network only.",
            "schema": {"type": ["boolean", "null"], "default": True},
        },
        "ca_file": {
            "label": "Certificate authority",
            "description": "PEM file of the authority that issued the certificate. A public one when empty.",
            "schema": {"type": ["string", "null"]},
        },
        "timeout": _seconds("Timeout", "How long the service may take to answer. 60 when empty."),
    },
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port"],
        "relabeling": {"host": "URL"},
        "placeholders": {"host": "https://pacs.example.org/dicom-web"},
    },
}

_REDCAP = {
    "connection-type": "redcap",
    "hook-class-name": "airlock_provider.hooks.redcap.RedcapHook",
    "hook-name": "REDCap project",
    "conn-fields": {
        "verify_ssl": {
            "label": "Check the certificate",
            "description": "Switch this off in a closed test network only.",
            "schema": {"type": ["boolean", "null"], "default": True},
        },
        "timeout": _seconds("Timeout", "How long REDCap may take to answer. 30 when empty."),
    },
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login", "port"],
        "relabeling": {"host": "API URL", "password": "API token"},
        "placeholders": {"host": "https://redcap.example.org/api/", "password": "token of the project"},
    },
}

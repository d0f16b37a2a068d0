"""Silence of the DICOM libraries: their log lines and warnings quote values of the datasets they work on."""

from __future__ import annotations

import logging

import pydicom.config
from pynetdicom import _config as network_config

_SILENT = logging.CRITICAL + 1


def silence() -> None:
    """Keep pydicom and pynetdicom from logging and warning, in this process, for good.

    What a reader needs to know is in the errors that :mod:`airlock.dicomio` raises.
    """
    for name in ("pynetdicom", "pydicom"):
        logger = logging.getLogger(name)
        logger.setLevel(_SILENT)
        logger.propagate = False
    # The handlers that describe every PDU would format datasets even if nobody listens.
    network_config.LOG_HANDLER_LEVEL = "none"
    network_config.LOG_REQUEST_IDENTIFIERS = False
    network_config.LOG_RESPONSE_IDENTIFIERS = False
    # A warning about an invalid value quotes the value.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

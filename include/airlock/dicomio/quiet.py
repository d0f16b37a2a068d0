"""Silence of the DICOM libraries: their log lines and warnings quote values of the datasets they work on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom.config
from pynetdicom import _config as network_config

from airlock.quiet import silence_loggers


def silence() -> None:
    """Keep pydicom and pynetdicom from logging and from checking what they read, in this process, for good.

    What a reader needs to know is in the errors that :mod:`airlock.dicomio` raises.
    """
    silence_loggers()
    # The handlers that describe every PDU would format datasets even if nobody listens.
    network_config.LOG_HANDLER_LEVEL = "none"
    network_config.LOG_REQUEST_IDENTIFIERS = False
    network_config.LOG_RESPONSE_IDENTIFIERS = False
    # A warning about an invalid value quotes the value.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning, and from checking what it reads and writes, in a block.

    Not for good: in a test or a tool, checks of what is written and warnings have their use.
    """
    settings = pydicom.config.settings
    before = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = before

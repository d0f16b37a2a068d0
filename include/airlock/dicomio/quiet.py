"""Silence of the DICOM libraries: their log lines and warnings quote values of the datasets they work on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from airlock.quiet import silence_loggers


def silence() -> None:
    """Keep pydicom and pynetdicom from logging and from checking what they read, in this process, for good.

    A library that is not imported yet is silenced in the moment it is, whoever imports it: a program that needs none
    of them need not wait for them. What a reader needs to know is in the errors that :mod:`airlock.dicomio` raises.
    """
    silence_loggers()
    for name, function in _SILENCERS.items():
        if name in sys.modules:
            function(sys.modules[name])
    if not any(isinstance(finder, _Silencer) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Silencer())


def _silence_pydicom(config: Any) -> None:
    # A warning about an invalid value quotes the value.
    config.settings.reading_validation_mode = config.IGNORE


def _silence_pynetdicom(config: Any) -> None:
    # The handlers that describe every PDU would format datasets even if nobody listens.
    config.LOG_HANDLER_LEVEL = "none"
    config.LOG_REQUEST_IDENTIFIERS = False
    config.LOG_RESPONSE_IDENTIFIERS = False


_SILENCERS: dict[str, Callable[[Any], None]] = {
    "pydicom.config": _silence_pydicom,
    "pynetdicom._config": _silence_pynetdicom,
}


class _Silencer(MetaPathFinder):
    """Finds nothing itself, but silences what others find."""

    def __init__(self) -> None:
        self._finding = ""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module that is silenced as soon as it is loaded; None for any other."""
        if fullname not in _SILENCERS or self._finding == fullname:
            return None
        self._finding = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._finding = ""
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_silence(module: ModuleType) -> None:
            load(module)
            _SILENCERS[fullname](module)

        spec.loader.exec_module = load_and_silence  # type: ignore[method-assign]
        return spec


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning, and from checking what it reads and writes, in a block.

    Not for good: in a test or a tool, checks of what is written and warnings have their use.
    """
    from pydicom import config  # noqa: PLC0415 - only who reads datasets has to wait for it

    settings = config.settings
    before = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = before

"""Silence of the DICOM libraries: their log lines and warnings quote values of the datasets they work on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def silence() -> None:
    """Keep pydicom and pynetdicom from logging and from checking what they read, in this process, for good.

    What a reader needs to know is in the errors that :mod:`airlock.dicomio` raises. A library that was not imported
    yet is silenced when it is, by whomever: the import takes a second, and sending files does without.
    """
    if "logging" in sys.modules:
        _silence_loggers()
    missing: dict[str, Callable[[ModuleType], None]] = {}
    for name, quieten in _QUIETEN.items():
        if name in sys.modules:
            quieten(sys.modules[name])
        else:
            missing[name] = quieten
    if missing and not any(isinstance(finder, _OnImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OnImport(missing))


def _silence_loggers() -> None:
    from airlock.quiet import silence_loggers  # noqa: PLC0415 - it imports logging, which harmless libraries do without

    silence_loggers()


def _quieten_pydicom(config: ModuleType) -> None:
    # Its import switches its logger on.
    _silence_loggers()
    # A warning about an invalid value quotes the value.
    config.settings.reading_validation_mode = config.IGNORE


def _quieten_pynetdicom(config: ModuleType) -> None:
    _silence_loggers()
    # The handlers that describe every PDU would format datasets even if nobody listens.
    vars(config).update(LOG_HANDLER_LEVEL="none", LOG_REQUEST_IDENTIFIERS=False, LOG_RESPONSE_IDENTIFIERS=False)


_QUIETEN = {"pydicom.config": _quieten_pydicom, "pynetdicom._config": _quieten_pynetdicom}


class _OnImport:
    """Calls a function with a module when it has been imported.

    :param todo: the functions, by the names of the modules.
    """

    def __init__(self, todo: dict[str, Callable[[ModuleType], None]]) -> None:
        self._todo = todo

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module as the other finders do, and add the call to what its loader does."""
        todo = self._todo.pop(fullname, None)
        if todo is None:
            return None
        from importlib.util import find_spec  # noqa: PLC0415 - it is imported where neither library is

        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_call(module: ModuleType) -> None:
            execute(module)
            todo(module)

        spec.loader.exec_module = execute_and_call  # type: ignore[method-assign]  # so it hooks in
        return spec


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning, and from checking what it reads and writes, in a block.

    Not for good: in a test or a tool, checks of what is written and warnings have their use.
    """
    import pydicom.config  # noqa: PLC0415 - this module is imported where nobody needs pydicom

    settings = pydicom.config.settings
    before = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = before

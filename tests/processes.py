"""Steps in processes of their own, to be killed in the middle of their work.

A server that has imported everything already forks them: most of what such a test would wait for is imports.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from airlock.settings import Settings
from airlock.transfer import Transfer

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["pytest", "tests.processes", "airlock.deid.step", "airlock.deliver.step", "airlock.retrieve.step"]
)


def start(step: Callable[..., Any], transfer: Transfer, *arguments: Any) -> BaseProcess:
    """Start a step of a transfer; the process opens the transfer itself.

    :param step: importable function.
    """
    process = _CONTEXT.Process(target=_run, args=(step, transfer.id, transfer.settings, arguments))
    process.start()
    return process


def start_any(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start an importable function."""
    process = _CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def _run(step: Callable[..., Any], transfer_id: str, settings: Settings, arguments: tuple[Any, ...]) -> None:
    step(Transfer.open(transfer_id, settings), *arguments)

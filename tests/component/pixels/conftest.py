"""Transfers whose instances were received."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from airlock.ledger import InstanceUpdate
from airlock.transfer import Transfer
from airlock.workspace import link_or_copy
from tests.transfers import make_transfer


@pytest.fixture
def transfer(tmp_path):
    """Make transfers whose instances were received: `transfer(files, rewrite=True)`.

    One process per step: each process loads the text detector, which takes longer than these small studies do.
    """

    def make(files: list[Path], *, workers: int = 1, **pixels) -> Transfer:
        result = make_transfer(tmp_path, policy={"pixels": pixels}, settings={"workers": workers})
        with result.workspace.writing("incoming") as folder:
            ids = [instance_id(result, file) for file in files]
            for name, file in zip(ids, files, strict=True):
                link_or_copy(file, folder / f"{name}.dcm")
        result.ledger.record(result.id, [InstanceUpdate(name) for name in ids])
        return result

    return make


def instance_id(transfer: Transfer, file: Path) -> str:
    return transfer.instance_id(
        str(dcmread(file, stop_before_pixels=True, force=True).get("SOPInstanceUID", file.name))
    )

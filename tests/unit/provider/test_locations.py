"""A transfer does not begin with a location library that cannot be used."""

from __future__ import annotations

import pytest

from airlock.errors import PolicyError
from airlock_provider.operators import request
from tests.transfers import make_transfer


@pytest.fixture
def accept(tmp_path):
    """Look for the policy of a request, as `accept_request` does, with a location library of its own."""
    transfer = make_transfer(tmp_path)
    library = tmp_path / "library"
    settings = transfer.settings.model_copy(update={"pixel_locations": library})

    def run() -> str:
        return request.AcceptRequestOperator._find_policy(transfer.ledger, transfer.id, settings).digest

    return library, run


def test_a_line_that_is_not_understood_stops_it(accept):
    library, run = accept
    library.mkdir()
    file = library / "site.script"
    file.write_text('Console\n{ Modality.equal("US") }\n(0, 0, 640, 40)\n')
    with pytest.raises(PolicyError, match=r"site\.script:2: unknown test equal"):
        run()
    # Mended, it is read again in the same process.
    file.write_text('Console\n{ Modality.equals("US") }\n(0, 0, 640, 40)\n')
    assert len(run()) == 64


def test_a_library_that_is_not_there_stops_it(accept):
    _, run = accept
    with pytest.raises(PolicyError, match="AIRLOCK_PIXEL_LOCATIONS"):
        run()

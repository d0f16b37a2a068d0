"""The limits of a destination, at DCMTK's storescp: rate, associations, transfers at a time, hours."""

import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import send_to_research
from airlock.dicomio.echo import echo
from airlock.dicomio.peer import Peer
from airlock.errors import OutsideHours, PeerUnavailable, TurnAwaited
from airlock.ledger import InstanceState
from bench.peers import STORESCP
from demo.services import free_port
from tests.peers import require
from tests.studies import make_instance
from tests.transfers import make_ready, make_transfer


@contextmanager
def storescp(folder):
    require("storescp")
    folder.mkdir()
    peer = Peer("127.0.0.1", free_port(), called_aet="STORESCP")
    command = STORESCP.command("--fork", "-od", folder, str(peer.port))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until_answers(peer)
            yield peer
        finally:
            process.terminate()


def _until_answers(peer):
    for _ in range(100):
        try:
            return echo(peer)
        except PeerUnavailable:
            time.sleep(0.05)
    raise AssertionError("storescp does not answer")


def to(folder, pixels, **destination):
    """Return a transfer of as many instances as there are numbers: rows and columns of each."""
    study = str(generate_uid())
    uids = {str(generate_uid()): side for side in pixels}
    files = {uid: make_instance(folder / "made" / uid, study, "1.2", uid, size=side) for uid, side in uids.items()}
    transfer = make_transfer(folder, policy={"destination": destination})
    make_ready(transfer, files)
    return transfer, sum(path.stat().st_size for path in files.values())


@contextmanager
def watched(port):
    """Count how many connections to a port are open at a time, as the kernel sees them."""
    most, stop = [0], threading.Event()

    def look():
        while not stop.wait(0.002):
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            most[0] = max(most[0], sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("pixels", "associations"), [([800], 1), ([100] * 64, 3)], ids=["one large image", "many small ones"]
)
def test_a_rate_is_kept_within_an_image_too(tmp_path, pixels, associations):
    with storescp(tmp_path / "got") as peer:
        transfer, size = to(tmp_path, pixels, kilobytes_per_second=1500)
        begun = time.monotonic()
        send_to_research(transfer, replace(peer, associations=associations))
        seconds = time.monotonic() - begun
    assert len(list((tmp_path / "got").iterdir())) == len(pixels)
    # Faster never. Slower by the time of the step itself, which a busy machine makes long.
    assert 0.25 < size / seconds / 1_500_000 < 1.15


def test_no_more_associations_than_the_connection_says(tmp_path):
    with storescp(tmp_path / "got") as peer:
        transfer, _ = to(tmp_path, [100] * 24, kilobytes_per_second=1000)
        with watched(peer.port) as most:
            send_to_research(transfer, replace(peer, associations=3))
    assert most == [3]
    assert transfer.ledger.counts(transfer.id).received == len(list((tmp_path / "got").iterdir())) == 24


def test_no_more_transfers_at_a_time_than_the_policy_says(tmp_path):
    with storescp(tmp_path / "got") as peer:
        # The slots are of a home.
        work = []
        for number in range(4):
            folder = tmp_path / str(number)
            transfer, _ = to(folder, [64] * 4, kilobytes_per_second=300, at_a_time=2)
            work.append(replace(transfer, settings=replace_home(transfer.settings, tmp_path / "home")))
        threads = [threading.Thread(target=send_when_it_is_its_turn, args=(transfer, peer)) for transfer in work]
        with watched(peer.port) as most:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
    assert most == [2]
    assert len(list((tmp_path / "got").iterdir())) == 16


def send_when_it_is_its_turn(transfer, peer):
    while True:
        try:
            return send_to_research(transfer, peer)
        except TurnAwaited:
            time.sleep(0.05)


def not_now():
    """Return hours that begin in three."""
    now = datetime.now().astimezone()
    return [f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"]


def replace_home(settings, home):
    return settings.model_copy(update={"home": home})


def test_outside_the_hours_nobody_is_called(tmp_path):
    with storescp(tmp_path / "got") as peer:
        transfer, _ = to(tmp_path, [8] * 3, hours=not_now())
        with watched(peer.port) as most, pytest.raises(OutsideHours) as caught:
            send_to_research(transfer, peer)
        assert most == [0]
        assert 2.9 * 3600 < caught.value.seconds <= 3 * 3600
        open_now, _ = to(tmp_path / "open", [8] * 3, hours=[*not_now(), "00:00-00:00"])
        send_to_research(open_now, peer)
    assert len(open_now.ledger.instances(open_now.id, InstanceState.ACKNOWLEDGED)) == 3
    assert len(list((tmp_path / "got").iterdir())) == 3

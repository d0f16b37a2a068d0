"""C-STORE over loopback: Airlock's receiver against DCMTK's and pynetdicom's, and as the target of Orthanc's C-MOVE."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread

from airlock.dicomio.claiming import claimed
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.peer import Peer
from airlock.dicomio.receiving import services_folder
from airlock.dicomio.wire.claim import Claim
from bench.airlock import airlock, environment, expect
from bench.alone import outside
from bench.corpus import Size, distinct
from bench.measure import BenchError, Contender, Run, compare, run
from bench.peers import MOVESCU, ORTHANC, STORESCP, missing
from bench.result import Figure, Measured, Skipped
from bench.servers import DESTINATION_AET, ORTHANC_AET, airlock_scp, orthanc, pynetdicom_scp, storescp
from demo.phantoms import Patient, ct_series, mr_series

Result = Measured | Figure | Skipped


def measure(scratch: Path, size: Size) -> Iterator[Result]:
    """Receive a CT series and yield how it went, peer by peer. The sender is `airlock send`, whatever receives."""
    number = size.sent * 4
    work = f"receive {number} CT"
    source = scratch / "source"
    ct_series(source, Patient.invent(4100), number)
    ours, theirs, pythons = (_made(scratch / name) for name in ("ours", "theirs", "pythons"))
    with airlock_scp(ours, environment(scratch)) as (port, _), pynetdicom_scp(pythons) as python_port:
        us = Contender("airlock scp", _filled(ours, number, lambda: _send(scratch, source, port)))
        if absent := missing(STORESCP):
            yield Skipped(work, "storescp", absent)
        else:
            with storescp({}, theirs) as their_port:
                once = _filled(theirs, number, lambda: _send(scratch, source, their_port))
                yield Measured(work, compare(us, Contender("storescp", once), size.pairs))
        once = _filled(pythons, number, lambda: _send(scratch, source, python_port))
        yield Measured(work, compare(us, Contender("pynetdicom storescp", once), size.pairs))
    if absent := missing(STORESCP, MOVESCU, ORTHANC) or outside():
        yield Skipped(f"C-MOVE of {size.sent} CT out of Orthanc", "storescp", absent)
    else:
        yield from _moved(scratch, size)
    yield _memory(scratch, size)


def _moved(scratch: Path, size: Size) -> Iterator[Measured]:
    """Have Orthanc send a study to each receiver, at the same port in turns; the same program asks for it."""
    study = scratch / "study"
    paths = ct_series(study, Patient.invent(4200), size.sent)
    study_uid = str(dcmread(paths[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    ours, theirs = _made(scratch / "moved-ours"), _made(scratch / "moved-theirs")
    with orthanc(scratch / "orthanc", {}) as pacs:
        _send(scratch, study, pacs.peer.port, ORTHANC_AET)
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_uid}")
        titles = ("-aet", "AIRLOCK", "-aec", ORTHANC_AET, "-aem", DESTINATION_AET)
        ask = MOVESCU.command("-S", *titles, *keys, "127.0.0.1", str(pacs.peer.port))

        def once(folder: Path, receiver: str) -> Run:
            with _receiving(receiver, folder, pacs.destination, scratch, study_uid):
                return _filled(folder, size.sent, lambda: run(ask, os.environ))()

        work = f"C-MOVE of {size.sent} CT out of Orthanc"
        here = Contender("airlock scp", lambda: once(ours, "airlock"))
        yield Measured(work, compare(here, Contender("storescp", lambda: once(theirs, "storescp")), size.pairs))
        shared = Contender("airlock scp --moves", lambda: once(ours, "shared"))
        yield Measured(f"{work}, by way of a pull's claim", compare(shared, here, size.pairs))


@contextmanager
def _receiving(receiver: str, folder: Path, port: int, scratch: Path, study_uid: str) -> Iterator[None]:
    """Run what receives at a port. When it is shared, this process is the pull that keeps what comes."""
    if receiver == "storescp":
        with storescp({}, folder, port=port):
            yield
    elif receiver == "shared":
        settings = environment(scratch)
        claim = Claim(DESTINATION_AET, "AIRLOCK", ORTHANC_AET, ORTHANC_AET, frozenset([study_uid]))
        with (
            airlock_scp(None, settings, DESTINATION_AET, port=port),
            claimed(services_folder(Path(settings["AIRLOCK_HOME"])), port, claim, Inbox(folder, study_uid)) as holding,
        ):
            if holding is None:
                raise BenchError("the service has no socket")
            yield
    else:
        with airlock_scp(folder, environment(scratch), DESTINATION_AET, port=port):
            yield


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _send(scratch: Path, source: Path, port: int, aet: str = Peer.called_aet) -> Run:
    done = airlock(scratch, "send", source, "--host", "127.0.0.1", "--port", str(port), "--called-aet", aet)
    expect(done.output, f"sent {sum(1 for _ in source.iterdir())}, refused 0, unreadable 0")
    return done


def _filled(folder: Path, files: int, once: Callable[[], Run]) -> Callable[[], Run]:
    """Check that as many files arrived as were sent, and remove them."""

    def checked() -> Run:
        done = once()
        found = [path for path in folder.rglob("*") if path.is_file()]
        for entry in folder.iterdir():
            if not entry.name.startswith("."):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if len(found) != files:
            raise BenchError(f"{len(found)} files arrived, {files} were sent")
        return done

    return checked


def _memory(scratch: Path, size: Size) -> Figure:
    """Receive a hundredth of many instances, and all of them; the receiver's peak memory is to stay."""
    (path,) = mr_series(scratch / "small", Patient.invent(4300), 1, side=64)
    few = distinct(path, scratch / "few", size.many // 100)
    folder = _made(scratch / "many-ours")
    with airlock_scp(folder, environment(scratch)) as (port, process):
        _send(scratch, few, port)
        before = _peak_mib(process)
        shutil.rmtree(few)
        many = distinct(path, scratch / "many", size.many)
        done = _filled(folder, size.many, lambda: _send(scratch, many, port))()
        rate = f"{size.many / done.wall_seconds:.0f}/s, peak {before} -> {_peak_mib(process)} MiB"
    shutil.rmtree(many)
    return Figure(f"receive {size.many} small MR after {size.many // 100}", done.wall_seconds, done.cpu_seconds, rate)


def _peak_mib(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10

"""`airlock scp`: receive DICOM files by C-STORE, as a service."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.claims import Claims
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.desk import Desk
from airlock.dicomio.wire.health import health_server
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.service import Patience
from airlock.dicomio.wire.shelf import Shelf
from airlock.dicomio.wire.sink import Caller
from airlock.dicomio.wire.tls import server_context

_PEM = click.Path(exists=True, dir_okay=False)
_MIB = 1 << 20


@click.command("scp")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port; 0 takes a free one.")
@click.option("--aet", required=True, help="Our AE title: associations that call another one are rejected.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Gets what is received.")
@click.option("--moves", is_flag=True, help="Serve pulls by C-MOVE: each gets what it asked for.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--caller", "callers", multiple=True, help="Calling AE title that is accepted. Repeatable.")
@click.option("--any-caller", is_flag=True, help="Accept every calling AE title.")
@click.option("--sync/--no-sync", default=True, show_default=True, help="Acknowledge what is on the disk only.")
@click.option("--min-free-mib", type=click.IntRange(min=0), default=1024, show_default=True, help="Below: 0xA700.")
@click.option("--max-associations", type=click.IntRange(1, 1000), default=32, show_default=True)
@click.option("--idle-seconds", type=click.FloatRange(min=0.1), default=60.0, show_default=True)
@click.option("--private-classes/--no-private-classes", default=True, show_default=True, help="Private SOP classes.")
@click.option("--private-syntaxes", is_flag=True, help="Keep private transfer syntaxes too, unread.")
@click.option("--index", is_flag=True, help="Write the index of each series that routing reads.")
@click.option("--cert-file", type=_PEM, help="PEM file of our certificate: associations are encrypted.")
@click.option("--key-file", type=_PEM, help="PEM file of its key, without a password.")
@click.option("--ca-file", type=_PEM, help="PEM file of the authority whose certificate callers must show.")
@click.option("--http", type=click.IntRange(0, 65535), help="Port of GET /health, for this machine only.")
def command(callers: tuple[str, ...], any_caller: bool, **options: Any) -> None:
    """Receive DICOM files until told to stop (SIGTERM, SIGINT).

    Files go to <folder>/<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm, as the bytes that came. What
    contradicts an instance that is there is kept below <folder>/conflicts and refused. With --index, studies start
    transfers as the routing table and the coupling list say: --folder is AIRLOCK_RAW then. With --moves, pulls of this
    AIRLOCK_HOME whose move_port is --port get what they asked for by C-MOVE; the rest goes to --folder, or is refused.
    """
    _check(callers, any_caller, options)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        sink, server, told = _start(callers, options, stack)
        stack.callback(server.stop, min(10.0, options["idle_seconds"]))
        click.echo(f"listening on {options['host']}:{server.port}")
        if options["http"] is not None:
            port = stack.enter_context(health_server(options["http"], _state(sink, server, told)))
            click.echo(f"health on http://127.0.0.1:{port}/health")
        stop.wait()
    counts = server.counts
    click.echo(
        f"stored {counts['stored']}, duplicates {counts['duplicates']}, conflicts {counts['conflicts']}, "
        f"refused {counts['refused'] + counts['out_of_resources']}"
        + (f", moved {counts['moved']}, unasked {counts['unasked']}" if options["moves"] else "")
    )


def _check(callers: tuple[str, ...], any_caller: bool, options: dict[str, Any]) -> None:
    if not callers and not any_caller:
        raise click.UsageError("Say who may send: --caller TITLE for each, or --any-caller.")
    if options["ca_file"] and not options["cert_file"]:
        raise click.UsageError("--ca-file needs --cert-file: only encrypted callers show certificates.")
    if not options["folder"] and not options["moves"]:
        raise click.UsageError("Say where what is received goes: --folder, or --moves for who asked for it, or both.")
    if options["index"] and not options["folder"]:
        raise click.UsageError("--index needs --folder: pulls get their instances without an index.")
    if options["moves"] and not options["port"]:
        raise click.UsageError("--moves needs a --port that is not 0: pulls find the service by it.")


def _start(
    callers: tuple[str, ...], options: dict[str, Any], stack: ExitStack
) -> tuple[Shelf | Desk, StorageServer, Callable[[], dict[str, int]]]:
    """Return what receives, and what else is told of it."""
    tls = None
    if options["cert_file"]:
        tls = server_context(options["cert_file"], options["key_file"], options["ca_file"])
    counts = Counts()
    titles = frozenset(callers)
    private = options["private_classes"], options["private_syntaxes"]
    admission = Admission(options["aet"], titles, *private, reports=options["moves"])
    shelf = _shelf(options, counts) if options["folder"] else None
    told: Callable[[], dict[str, int]] = dict
    sink: Shelf | Desk
    if options["moves"]:
        sink, claims = _desk(options, counts, shelf, admission, stack)

        def told() -> dict[str, int]:
            return {"claims": len(claims)}
    else:
        assert shelf is not None, "it was checked"
        sink = shelf
    server = StorageServer(
        sink,
        admission,
        host=options["host"],
        port=options["port"],
        most=options["max_associations"],
        patience=Patience(min(30.0, options["idle_seconds"]), options["idle_seconds"]),
        tls=tls,
        counts=counts,
    )
    return sink, server, told


def _shelf(options: dict[str, Any], counts: Counts) -> Shelf:
    arrived: Callable[[Path, Caller], None] | None = None
    if options["index"]:
        # It takes pydicom, whose import takes a second, and the service does without it otherwise.
        from airlock.intake.index import note_arrival  # noqa: PLC0415 - as said

        arrived = note_arrival
    least_free_bytes = options["min_free_mib"] * _MIB
    return Shelf(options["folder"], counts, sync=options["sync"], least_free_bytes=least_free_bytes, arrived=arrived)


def _desk(
    options: dict[str, Any], counts: Counts, shelf: Shelf | None, admission: Admission, stack: ExitStack
) -> tuple[Desk, Claims]:
    from airlock.dicomio.receiving import services_folder  # noqa: PLC0415 - only here; it reads all settings
    from airlock.dicomio.serving import claims_of, coming_of  # noqa: PLC0415 - as above

    folder, port, sync = services_folder(), options["port"], options["sync"]
    claims = stack.enter_context(claims_of(folder, port, admission, tls=bool(options["cert_file"]), sync=sync))
    least_free_bytes = options["min_free_mib"] * _MIB
    coming = coming_of(folder, port)
    return Desk(coming, claims, counts, shelf=shelf, sync=sync, least_free_bytes=least_free_bytes), claims


def _state(
    sink: Shelf | Desk, server: StorageServer, told: Callable[[], dict[str, int]]
) -> Callable[[], dict[str, Any]]:
    started = time.monotonic()

    def state() -> dict[str, Any]:
        free = sink.free_bytes
        return {
            "status": "full" if sink.full else "ok",
            "seconds": int(time.monotonic() - started),
            "open": server.open,
            "free_bytes": free,
            **told(),
            **server.counts.all(),
        }

    return state

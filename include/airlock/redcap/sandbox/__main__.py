"""`python -m airlock.redcap.sandbox`: serve a sandbox project until interrupted."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from airlock.redcap.sandbox.server import DEFAULT_TOKEN, FAULTS, RedcapSandbox


def _faults(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, int]]:
    faults = []
    for value in values:
        times, _, fault = value.partition(":")
        if not times.isdecimal() or not fault:
            raise click.BadParameter("write <how often>:<HTTP status or fault>, for example 2:500")
        faults.append((fault, int(times)))
    return faults


@click.command(help=f"Serve a REDCap project on 127.0.0.1. Faults: an HTTP status, {', '.join(FAULTS)}.")
@click.option("--port", default=8090, show_default=True, help="0 for any free one.")
@click.option("--token", default=DEFAULT_TOKEN, show_default=True, help="API token; PyCap wants 32 characters.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep the records in this file.")
@click.option("--dictionary", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Data dictionary.")
@click.option("--fail-next", multiple=True, callback=_faults, metavar="N:FAULT", help="Let the next N calls fail.")
def main(port: int, token: str, state: Path | None, dictionary: Path | None, fail_next: list[tuple[str, int]]) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with RedcapSandbox(token, port, dictionary=dictionary, state=state) as sandbox:
        for fault, times in fail_next:
            try:
                sandbox.fail_next(fault, times)
            except ValueError as error:
                raise click.BadParameter(str(error)) from None
        click.echo(f"REDCap sandbox at {sandbox.url}")
        stop.wait()


if __name__ == "__main__":
    main()

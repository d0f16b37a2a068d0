"""`python -m bench`: measure everything and print a table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console

from bench import deidentify, detect, machine, readers, recall, receive, robust, send, verify
from bench.alone import enclose
from bench.corpus import FULL, QUICK, Size
from bench.measure import BenchError
from bench.python_peers import install
from bench.result import Result, table

CASES: dict[str, Callable[[Path, Size], Iterator[Result]]] = {
    "deidentify": deidentify.measure,
    "verify": verify.measure,
    "send": send.measure,
    "receive": receive.measure,
    "detect": detect.measure,
    "recall": recall.measure,
    "readers": readers.measure,
    "robust": robust.measure,
}

_INSTALL = "--install-peers"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--quick", is_flag=True, help="A smaller corpus and fewer runs: minutes instead of a quarter of an hour.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where to keep files while measuring. Default: the system's temporary folder.",
)
@click.option(_INSTALL, is_flag=True, help="Install the peers that are Python packages, in a place apart.")
def main(cases: tuple[str, ...], quick: bool, folder: Path | None, install_peers: bool) -> None:
    """Measure Airlock against the programs that people use instead: all CASES, or only those named.

    Ends with 1 when something failed; being slow is no failure.
    """
    if install_peers:
        try:
            install()
        except BenchError as error:
            raise click.ClickException(str(error)) from None
        enclose(_INSTALL)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    progress = Console(stderr=True)
    results: list[Result] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="airlock-bench-", dir=folder) as scratch:
        before = machine.load()
        for name in cases or CASES:
            progress.print(f"Measuring: {name} ...")
            try:
                results += CASES[name](_folder(scratch, name), QUICK if quick else FULL)
            except BenchError as error:
                failed = True
                progress.print(f"{name} failed: {error}", style="bold red", markup=False)
        for line in [*machine.describe(Path(scratch)), f"{before} before, {machine.load()} after"]:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(table(results))
    sys.exit(1 if failed else 0)


def _folder(scratch: str, name: str) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    return folder


if __name__ == "__main__":
    # Within the namespace there is no network to install from.
    if _INSTALL not in sys.argv:
        enclose()
    main()

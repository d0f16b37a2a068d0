"""`airlock request cancel`: stop transfers that are under way."""

from __future__ import annotations

import getpass

import click

from airlock.cli import REFUSED
from airlock.errors import RefusedError
from airlock.settings import load_settings
from airlock.transfer import open_ledger


@click.command("cancel")
@click.argument("transfers", nargs=-1, required=True)
@click.pass_context
def cancel(context: click.Context, transfers: tuple[str, ...]) -> None:
    """Stop TRANSFERS that wait or run.

    A running step stops after the batch of instances that it works on, a waiting one when it is looked at next, a
    review when it is answered (*Cancel* on the page does that too). The transfer's files are removed, REDCap is told,
    and `airlock status` says what had been sent by then; `airlock withdraw` lists that for the research PACS. Exit
    status 2 when one has ended already.
    """
    ledger = open_ledger(load_settings())
    left = False
    for transfer_id in transfers:
        try:
            ledger.ask_cancel(transfer_id, getpass.getuser())
        except RefusedError as error:
            left = True
            click.secho(f"{transfer_id}: {error}", fg="yellow", err=True)
        else:
            click.echo(f"{transfer_id} is to stop.")
    context.exit(REFUSED if left else 0)

"""Faults of the network, of processes and of disks, injected one by one: `python -m tests.faults [NAME ...]`.

Every scenario makes a transfer, does something to it, runs the step again until it succeeds, and compares the ledger
with what the PACS has. A line of Markdown per scenario is printed; `docs/network.md` holds the last run.
"""

"""Two weeks of transfers in minutes, over the whole installation: `python -m tests.fortnight --requests 60 --seed 1`.

Requests come by every door; REDCap goes down, answers nonsense, locks records; the scheduler and REDCap are restarted.
At the end the ledger, REDCap, the research PACS and the archives are compared, each read by itself and without
Airlock's own counting.
"""

"""A REDCap to try Airlock against: the API of one project, on this machine only, with made-up data only.

It answers what FIONA's scripts and PyCap ask for; anything else is refused with a sentence that says so. Start one
with `python -m airlock.redcap.sandbox --port 8090 --token <32 characters>`, or in a test::

    with RedcapSandbox() as sandbox:
        client = RedcapClient(sandbox.url, sandbox.token)
"""

from airlock.redcap.sandbox.server import RedcapSandbox

__all__ = ["RedcapSandbox"]

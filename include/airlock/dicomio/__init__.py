"""DICOM files and associations: what every step that reads headers or talks to a PACS shares.

`header` reads the few attributes that tell where a file belongs, `part10` a whole dataset, which `splice` writes again
around the same pixels. `peer` describes a peer, `echo`, `find`, `move`, `get` and `store` are the services Airlock
uses (SCU), `scp` receives (SCP). Importing the package silences the DICOM libraries, also those that are imported
later (see `quiet`).
"""

from airlock.dicomio.quiet import silence

silence()

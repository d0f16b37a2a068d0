"""The byte path: files go out, and come in, as the bytes they are. No DICOM library takes part in it.

`pdu` and `command` are the protocol's units (PS3.8 section 9.3, PS3.7 section 6.3), `connection` a socket that reads
and writes them, `tls` its encryption. `requestor` and `sender` send; `acceptor`, `service` and `server` receive, and
give what they receive to a sink (`sink`). `glance` reads the little that has to be known of a file. Services that need
datasets (C-FIND, C-MOVE, C-GET) are pynetdicom's: see :mod:`airlock.dicomio.association`.
"""

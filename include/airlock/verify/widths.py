"""How long values are, by VR (PS3.5 sections 6.2 and 7.1.2)."""

from __future__ import annotations

SHORT = dict.fromkeys(b"AE AS CS DA DS DT IS LO LT PN SH SS ST TM UI US".split(), 1) | dict.fromkeys(
    (b"AT", b"FL", b"SL", b"UL"), 3
)
SHORT[b"FD"] = 7
"""By VR: the bits of a length that must not be set, as the width of single values asks for (PS3.5 table 6.2-1)."""
SHORT_VRS = frozenset(SHORT)
"""VRs whose elements have a head of 8 bytes in explicit VR (PS3.5 section 7.1.2)."""
LONG = dict.fromkeys(b"OB OW SQ UC UN UR UT".split(), 1) | {b"OF": 3, b"OL": 3, b"OD": 7, b"OV": 7, b"SV": 7, b"UV": 7}
"""The same of VRs whose elements have a head of 12 bytes."""
VRS = SHORT_VRS | frozenset(LONG)
MASKS = SHORT | LONG
"""By VR: the bits of a length that must not be set."""

"""The standard library's dates without the half of them that is written in Python, and replaced when it is imported.

From Python 3.12 on, the standard library does the same. Before, that import takes longer than all dates of a study.
"""

from __future__ import annotations

from airlock.typed import TYPE_CHECKING

__all__ = ["date", "timedelta"]

if TYPE_CHECKING:
    from datetime import date, timedelta
else:
    try:
        from _datetime import date, timedelta
    except ImportError:
        from datetime import date, timedelta

"""Regular expressions that are compiled when they are first used.

Of those that a command imports, it uses few; compiling them takes longer than what it does for a small study.
"""

from __future__ import annotations

import re

from airlock.typed import Any, overload


class _Later:
    """Stands for a compiled expression; each of its methods is looked up once."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._source), name)
        # From now on it is found without asking here.
        setattr(self, name, found)
        return found


@overload
def compiled_later(pattern: str, flags: int = 0) -> re.Pattern[str]: ...
@overload
def compiled_later(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]: ...
def compiled_later(pattern: str | bytes, flags: int = 0) -> Any:
    """Return what behaves as the compiled expression, and is compiled on first use.

    :raises re.error: then, when the expression is wrong.
    """
    return _Later(pattern, flags)

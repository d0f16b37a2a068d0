"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

# Debian puts servers where an ordinary user's PATH doesn't look.
_SERVERS = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *_SERVERS])

"""How this implementation names itself, in associations and in the files it writes (PS3.7 section D.3.3.2)."""

from __future__ import annotations

# UUID-derived, as PS3.5 section B.2 has it.
IMPLEMENTATION_CLASS_UID = "2.25.271871813732067547640792491455639293423"
IMPLEMENTATION_VERSION_NAME = "AIRLOCK_1"

"""Tasks are forked with everything imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = """
import sys
from importlib import import_module
from airlock_provider.plugin.preload import MODULES
for module in MODULES:
    import_module(module)
assert "onnxruntime" not in sys.modules, "it starts threads"
before = set(sys.modules)
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert len(bag.dags) >= 10 and not bag.import_errors
print(sorted(name for name in set(sys.modules) - before if not name.startswith("unusual_prefix")))
"""


def test_a_task_that_reads_the_dags_imports_nothing_more(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(ROOT / "dags")],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"

"""The image of the rewriter holds every module that the modules in it import."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_what_is_in_the_image_imports_nothing_else_of_ours(tmp_path: Path) -> None:
    script = (ROOT / "images" / "pixel-rewriter" / "build").read_text()
    first = re.search(r"^modules=\((.*)\)$", script, re.MULTILINE)
    steps = re.search(r"^for module in (.*?); do$", script, re.MULTILINE | re.DOTALL)
    assert first
    assert steps
    names = [*first[1].split(), *(f"pixels/{name}.py" for name in steps[1].replace("\\", "").split())]
    for name in names:
        (tmp_path / "airlock" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "include" / "airlock" / name, tmp_path / "airlock" / name)
    modules = [f"airlock.{name.removesuffix('.py').replace('/', '.')}" for name in names if "__init__" not in name]
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom importlib import import_module\n"
    program += f"for name in {modules!r}: import_module(name)\n"
    program += "import os\nfrom airlock.worker import die_with\ndie_with(os.getppid())\nprint('whole')"
    inherited = {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=inherited)
    assert done.stdout == "whole\n", done.stderr

"""A program for a Python that has EasyOCR: paths of pictures on stdin, boxes and processor time on stdout, as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module


def main() -> None:
    """Read text in each picture, on one core, with the models that the package brings; nothing is downloaded."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Packages of that other Python; they print while they load.
    easyocr, torch, models = map(import_module, ("easyocr", "torch", "easyocr_en_models"))
    torch.set_num_threads(1)
    reader = easyocr.Reader(["en"], gpu=False, model_storage_directory=models.model_dir(), download_enabled=False)
    for line in sys.stdin:
        before = time.process_time()
        found = reader.readtext(line.strip(), batch_size=1)
        seconds = time.process_time() - before
        boxes = []
        for corners, _text, _confidence in found:
            xs, ys = zip(*((int(x), int(y)) for x, y in corners), strict=True)
            boxes.append([max(min(xs), 0), max(min(ys), 0), max(xs) + 1, max(ys) + 1])
        answers.write(json.dumps({"boxes": boxes, "seconds": seconds}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

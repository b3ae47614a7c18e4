"""Alif Ensemble: write an image to MRAM with SETOOLS, which work in a folder of their own.

setools.py firmware.bin M55_HP 0x80008000
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

NAME = "npubench"
DEVICE = {"binary": "app-device-config.json", "version": "0.5.00", "signed": True}
ALIGN_BYTES = 16


def table(core, address):
    """The table of contents: the device's own entry, and ours, executed in place."""
    entry = {
        "binary": f"{NAME}.bin",
        "version": "1.0.0",
        "mramAddress": address,
        "cpu_id": core,
        "flags": ["boot"],
        "signed": False,
    }
    return {"DEVICE": DEVICE, "NPUBENCH": entry}


def main(words):
    """Put image and table into the tools' folder, build the table, write the memory."""
    image, core, address = words
    found = shutil.which("app-write-mram")
    if found is None:
        raise SystemExit(
            "Error: app-write-mram is not installed: SETOOLS from https://alifsemi.com"
        )
    folder = Path(found).resolve().parent
    data = Path(image).read_bytes()
    data += bytes(-len(data) % ALIGN_BYTES)
    (folder / "build" / "images").mkdir(parents=True, exist_ok=True)
    (folder / "build" / "config").mkdir(parents=True, exist_ok=True)
    (folder / "build" / "images" / f"{NAME}.bin").write_bytes(data)
    config = folder / "build" / "config" / f"{NAME}.json"
    config.write_text(json.dumps(table(core, address), indent=2) + "\n", encoding="utf-8")
    for argv in (
        ["app-gen-toc", "-f", f"build/config/{NAME}.json"],
        ["app-write-mram", "-p"],
    ):
        code = subprocess.call([str(folder / argv[0]), *argv[1:]], cwd=folder)
        if code != 0:
            raise SystemExit(f"Error: {argv[0]} ended with exit code {code}")


if __name__ == "__main__":
    main(sys.argv[1:])

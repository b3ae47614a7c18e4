"""The suite of operator shapes and a prediction, on two processes as here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from npubench import api

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.long,  # the suite is built and run twice
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
        reason="qemu-system-arm or arm-none-eabi-gcc is not installed",
    ),
]


def counted(result: api.MicroResult) -> dict[str, Any]:
    document = result.document()
    del document["run_id"]
    return document


def test_the_suite_elsewhere_counts_what_it_counts_here(tmp_path: Path) -> None:
    """Every shape, every error of a network left out and every prediction are the same."""
    found = [
        api.micro(
            boards=["qemu-m4"],
            predict=["kws"],
            networks=["ad", "kws"],
            runs_dir=tmp_path / name,
            on=on,
        )
        for name, on in (("here", None), ("there", "local:2"))
    ]
    (here,), (there,) = found
    assert len(here.rows) > 50
    assert {item.network for item in here.left_out} == {"ad", "kws"}
    assert counted(there) == counted(here)

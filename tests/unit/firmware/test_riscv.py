"""Promise: the portable kernels are one source for 32 and 64 bits of RISC-V, without a warning."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from npubench.core.paths import data_root

COMPILER = "riscv64-unknown-elf-gcc"
pytestmark = pytest.mark.skipif(
    shutil.which(COMPILER) is None, reason="the RISC-V compiler is not installed"
)


@pytest.mark.parametrize(
    "target",
    [
        ("-march=rv32imac", "-mabi=ilp32"),
        ("-march=rv64imafdc", "-mabi=lp64d", "-mcmodel=medany"),
    ],
    ids=["rv32", "rv64"],
)
def test_portable_kernels_compile(target: tuple[str, ...]) -> None:
    firmware = data_root() / "firmware"
    sources = sorted((firmware / "kernels" / "portable").glob("*.c"))
    assert len(sources) > 30
    done = subprocess.run(
        [
            COMPILER, *target, "-specs=picolibc.specs", "-std=c11", "-O2", "-Wall", "-Wextra",
            "-Wshadow", "-Werror", "-I", str(firmware / "include"), "-fsyntax-only",
            *map(str, sources),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]

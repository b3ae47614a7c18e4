"""What this machine has, what is missing, and what that costs the user."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from npubench.core.paths import cache_root, data_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. ``required``: the default boards cannot do without it."""

    name: str
    ok: bool
    required: bool
    found: str
    hint: str = ""

    def document(self) -> dict[str, object]:
        """The check as JSON values."""
        return asdict(self)


def examine() -> tuple[Check, ...]:
    """Look at everything; nothing raises, a failed look is a failed check."""
    return (
        _python(),
        *(
            _program(name, package, required=required, why=why)
            for name, package, required, why in _PROGRAMS
        ),
        *(
            _distribution(name, required=required, why=why)
            for name, required, why in _DISTRIBUTIONS
        ),
        _writable("cache folder", cache_root()),
        _data(),
        _serial(),
    )


_PROGRAMS = (
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi", True, "builds Arm firmware"),
    ("qemu-system-arm", "qemu-system-arm", True, "runs the emulated boards"),
    ("gcc", "gcc libc6-dev", True, "builds the board `native`"),
    (
        "riscv64-unknown-elf-gcc",
        "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
        False,
        "builds RISC-V firmware",
    ),
    ("openocd", "openocd", False, "flashes boards over ST-LINK and CMSIS-DAP"),
)
_DISTRIBUTIONS = (
    ("platformio", True, "builds and flashes"),
    ("scons", True, "is PlatformIO's build engine"),
    ("tflite-micro", False, "gives the golden answers; without it the native build stands in"),
    ("ethos-u-vela", False, "compiles for Ethos-U"),
    ("unicorn", False, "runs the models of boards"),
    ("tensorflow", False, "quantizes and rebuilds models; `bench` never needs it"),
)


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check(
        name="Python",
        ok=fits,
        required=True,
        found=version,
        hint="" if fits else "use Python 3.11, 3.12 or 3.13",
    )


def _program(name: str, package: str, *, required: bool, why: str) -> Check:
    path = shutil.which(name)
    return Check(
        name=name,
        ok=path is not None,
        required=required,
        found=path or "not installed",
        hint="" if path else f"apt-get install {package} ({why})",
    )


def _distribution(name: str, *, required: bool, why: str) -> Check:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(
            name=name,
            ok=False,
            required=required,
            found="not installed",
            hint=f"pip install {name} ({why})",
        )
    return Check(name=name, ok=True, required=required, found=version)


def _writable(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free_mib = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        return Check(
            name=name,
            ok=False,
            required=True,
            found=f"{folder}: {error.strerror}",
            hint="set NPUBENCH_CACHE to a folder that can be written",
        )
    return Check(
        name=name,
        ok=free_mib >= 100,
        required=True,
        found=f"{folder} ({free_mib} MiB free)",
        hint="" if free_mib >= 100 else "free at least 100 MiB",
    )


def _data() -> Check:
    from npubench.core.errors import NpubenchError

    try:
        return Check(name="data folders", ok=True, required=True, found=str(data_root()))
    except NpubenchError as error:
        return Check(
            name="data folders", ok=False, required=True, found=error.message, hint=error.hint
        )


def _serial() -> Check:
    from serial.tools.list_ports import comports

    ports = sorted(port.device for port in comports())
    closed = [port for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    return Check(
        name="serial ports",
        ok=not closed,
        required=False,
        found=", ".join(ports) or "none",
        hint=f"no permission for {', '.join(closed)}: add yourself to group dialout"
        if closed
        else "",
    )

"""The memories around the NPU: clock, ports, bandwidths, latencies, from a vela.ini of our own.

The file is the one that Vela compiles with, so that compiler and timing core cannot disagree.
"""

from __future__ import annotations

import configparser
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from npubench.core.errors import ConfigError
from npubench.npu.ethosu.config import Accelerator

REGION_CONSTANTS: Final = 0
REGION_SCRATCH: Final = 1
REGION_FAST: Final = 2
SYSTEM: Final = "System_Config."
MODE: Final = "Memory_Mode."
FLASH: Final = "Flash"
"""How the names of memories that are only read end, in Vela's own list."""
_READS, _WRITES = 16, 24
"""Where AXI_LIMIT holds the numbers of reads and of writes."""
MODEL_VERSION: Final = 4
"""Raised whenever the timing core's formulas change: part of every configuration hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One memory. ``bytes_per_cycle`` of the NPU's clock at its best; latencies in cycles. Its
    ``burst_bytes`` matter to Vela; here a beat is what costs. ``write_bytes_per_cycle``: of writes,
    where outstanding transactions set another rate for them.
    """

    name: str
    bytes_per_cycle: float
    burst_bytes: int
    read_latency_cycles: int
    write_latency_cycles: int
    write_bytes_per_cycle: float | None = None

    def rate(self, *, is_read: bool) -> float:
        """Bytes a cycle in one direction."""
        if is_read or self.write_bytes_per_cycle is None:
            return self.bytes_per_cycle
        return self.write_bytes_per_cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySystem:
    """Memories by AXI port (0 and 1), and the port of each region (constants, scratch, fast)."""

    clock_hz: float
    axi_bytes: int
    ports: tuple[Memory, Memory]
    region_ports: tuple[int, ...]

    def region_port(self, region: int) -> int:
        """AXI port of a region."""
        return self.region_ports[region] if region < len(self.region_ports) else 0

    def memory(self, region: int) -> Memory:
        """The memory behind a region."""
        return self.ports[self.region_port(region)]

    def with_region_ports(self, ports: tuple[int, ...]) -> MemorySystem:
        """The same memories, with the regions on other ports."""
        return replace(self, region_ports=ports)

    def limited(self, limits: tuple[int, ...]) -> MemorySystem:
        """The same memories under the NPU's own limits (AXI_LIMIT0 to 3, two a port): a port reads
        no more in a read latency than its outstanding reads hold, and writes likewise."""
        found = []
        for port, memory in enumerate(self.ports):
            mine = limits[2 * port : 2 * port + 2]
            reads = max(_outstanding_bytes(limit, _READS) for limit in mine)
            writes = max(_outstanding_bytes(limit, _WRITES) for limit in mine)
            rate = memory.bytes_per_cycle
            reading = min(rate, reads / max(1, memory.read_latency_cycles))
            writing = min(rate, writes / max(1, memory.write_latency_cycles))
            found.append(
                replace(
                    memory,
                    bytes_per_cycle=reading,
                    write_bytes_per_cycle=None if writing == reading else writing,
                )
            )
        return replace(self, ports=(found[0], found[1]))

    def sha256(self, accelerator: Accelerator) -> str:
        """Names a timing configuration: model version, accelerator, memories."""
        document = {
            "model": MODEL_VERSION,
            "accelerator": asdict(accelerator),
            "system": asdict(
                self,
                # What no limit sets is left out, so that it leaves names as they were.
                dict_factory=lambda items: {k: v for k, v in items if v is not None},
            ),
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def read_memory_system(
    path: Path, *, system_config: str, memory_mode: str, axi_bytes: int = 8
) -> MemorySystem:
    """Read two sections of a vela.ini, for ports of ``axi_bytes``. Nothing in the file has a
    default. Raises ConfigError."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        system = _section(parser, path, SYSTEM, system_config)
        mode = _section(parser, path, MODE, memory_mode)
        names = (system["axi0_port"], system["axi1_port"])
        _check_written(parser, mode, names, system_config=system_config, memory_mode=memory_mode)
        return MemorySystem(
            clock_hz=float(system["core_clock"]),
            axi_bytes=axi_bytes,
            ports=(_memory(system, names[0], axi_bytes), _memory(system, names[1], axi_bytes)),
            region_ports=(
                _port(mode["const_mem_area"]),
                _port(mode["arena_mem_area"]),
                _port(mode["cache_mem_area"]),
            ),
        )
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except configparser.MissingSectionHeaderError as error:
        raise ConfigError(
            f"{path}: line {error.lineno} stands in no section, or this is no such file",
            hint=f"it needs [{SYSTEM}NAME] and [{MODE}NAME], as in boards/*/vela.ini",
        ) from error
    except KeyError as error:
        raise ConfigError(
            f"{path}: {SYSTEM}{system_config} or {MODE}{memory_mode} has no entry {error}",
            hint="nothing is left to a default of Vela's; compare it with boards/*/vela.ini",
        ) from error
    except (configparser.Error, ValueError) as error:
        raise ConfigError(
            f"{path}: {' '.join(str(error).split())}",
            hint="compare it with boards/*/vela.ini",
        ) from error


def fast_memory_bytes(path: Path) -> int | None:
    """The most that a memory mode of a vela.ini gives to a fast memory of its own
    (``arena_cache_size``); None where none names a size, or where the file cannot be read."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        sizes = [
            int(parser[name]["arena_cache_size"])
            for name in parser.sections()
            if name.startswith(MODE) and "arena_cache_size" in parser[name]
        ]
    except (OSError, configparser.Error, ValueError):
        return None
    return max(sizes, default=None)


def _section(
    parser: configparser.ConfigParser, path: Path, kind: str, name: str
) -> configparser.SectionProxy:
    if kind + name in parser:
        return parser[kind + name]
    what = "memory mode" if kind == MODE else "system configuration"
    there = [item.removeprefix(kind) for item in parser.sections() if item.startswith(kind)]
    option = "memory_mode" if kind == MODE else "system_config"
    raise ConfigError(
        f"{path.parent.name}/{path.name} has no {what} {name}",
        hint=f"it has: {', '.join(there)} (--set ethos-u.{option}={there[0]}); or bring a vela.ini "
        "of your own: --set ethos-u.config=FILE"
        if there
        else f"it has no section [{kind}NAME] at all; a file of your own needs [{SYSTEM}NAME] and "
        f"[{MODE}NAME], named by --set ethos-u.system_config=NAME and ethos-u.memory_mode=NAME",
    )


def _check_written(
    parser: configparser.ConfigParser,
    mode: configparser.SectionProxy,
    names: tuple[str, str],
    *,
    system_config: str,
    memory_mode: str,
) -> None:
    """Vela refuses an arena, or a fast memory, that the mode puts into flash: say so in words."""
    for area, what in (("arena_mem_area", "the arena"), ("cache_mem_area", "the fast memory")):
        port = _port(mode[area])
        if not names[port].endswith(FLASH):
            continue
        others = [
            item.removeprefix(SYSTEM)
            for item in parser.sections()
            if item.startswith(SYSTEM)
            and not parser[item].get(f"axi{port}_port", FLASH).endswith(FLASH)
        ]
        raise ConfigError(
            f"memory mode {memory_mode} puts {what} behind port {port}, where {system_config} has "
            f"{names[port]}: nothing can be written there",
            hint=f"take a system with RAM there as well: --set ethos-u.system_config={others[0]}"
            if others
            else "no system in the file has RAM there; take another memory mode",
        )


def _memory(system: configparser.SectionProxy, name: str, axi_bytes: int) -> Memory:
    return Memory(
        name=name,
        bytes_per_cycle=axi_bytes * float(system[f"{name}_clock_scale"]),
        burst_bytes=int(system[f"{name}_burst_length"]),
        read_latency_cycles=int(system[f"{name}_read_latency"]),
        write_latency_cycles=int(system[f"{name}_write_latency"]),
    )


def _outstanding_bytes(limit: int, shift: int) -> int:
    """What the transactions outstanding at most under a limit bring: eight bits from ``shift`` on
    hold their number less one, bits 0 and 1 the burst (64, 128, 256 bytes)."""
    return ((limit >> shift & 0xFF) + 1) * (64 << min(limit & 3, 2))


def _port(text: str) -> int:
    ports = {"Axi0": 0, "Axi1": 1}
    if text not in ports:
        raise ValueError(f"memory area {text!r} is not Axi0 or Axi1")
    return ports[text]

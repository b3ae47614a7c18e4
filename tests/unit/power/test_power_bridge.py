"""The CircuitPython sketch of the INA2xx bridge speaks the line that its driver reads."""

from __future__ import annotations

import io
import sys
import time
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from npubench.core.errors import MonitorError
from npubench.power.instruments import ina2xx
from npubench.power.source.interface import Setup

SAMPLES = 200


class Bus:
    """An I2C bus with one chip: 3.3 V at the bus, 0.6 mV over the shunt, 6 mA through 0.1 ohms."""

    REGISTERS: ClassVar = {
        "INA219": {0x01: (60, 2), 0x02: (825 << 3, 2)},
        "INA226": {0x01: (240, 2), 0x02: (2640, 2), 0xFE: (0x5449, 2)},
        "INA228": {0x04: (1920 << 4, 3), 0x05: (16896 << 4, 3), 0x3E: (0x5449, 2)},
    }

    def __init__(self, chip: str, *, sign: int = 1) -> None:
        self.values = dict(self.REGISTERS[chip])
        self.written: list[bytes] = []
        shunt = 0x04 if chip == "INA228" else 0x01
        value, size = self.values[shunt]
        self.values[shunt] = (sign * value, size)

    def try_lock(self) -> bool:
        return True

    def writeto(self, address: int, data: bytes) -> None:
        assert address == 0x40
        self.written.append(data)

    def writeto_then_readfrom(self, address: int, number: bytes, data: bytearray) -> None:
        assert address == 0x40
        value, size = self.values.get(number[0], (0, 2))
        assert len(data) == size
        data[:] = value.to_bytes(size, "big", signed=True)


class Console:
    """What the host typed, and when the sketch is to end: after enough idle looks at it."""

    def __init__(self, typed: str) -> None:
        self._typed = io.StringIO(typed)
        self._left = len(typed)
        self._idle = 0

    @property
    def serial_bytes_available(self) -> int:
        self._idle += self._left == 0
        if self._idle > SAMPLES * 20:
            raise SystemExit
        return self._left

    def read(self, size: int) -> str:
        self._left -= size
        return self._typed.read(size)


class Wire:
    """The driver's side of the line, with what the sketch printed on it."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def open(self) -> None: ...
    def close(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def drain(self, *, quiet_s: float) -> None: ...

    def describe(self) -> str:
        return "sketch"

    def read_until(self, end: bytes, *, timeout_s: float) -> bytes:
        del timeout_s
        head, _, self._text = self._text.partition(end)
        return head + end

    def read(self, timeout_s: float) -> bytes:
        del timeout_s
        data, self._text = self._text, b""
        return data


def stubs(bus: Bus) -> dict[str, ModuleType]:
    """CircuitPython's modules, as far as the sketch uses them; no sensor's library."""

    def module(name: str, **values: Any) -> ModuleType:
        made = ModuleType(name)
        made.__dict__.update(values)
        return made

    pins = {f"D{number}": number for number in (2, 3, 4)}
    digital = SimpleNamespace(switch_to_input=lambda **_: None)

    def pin(where: int) -> SimpleNamespace:
        return SimpleNamespace(**vars(digital), value=where == 3)

    return {
        "board": module("board", I2C=lambda: bus, **pins),
        "digitalio": module("digitalio", DigitalInOut=pin, Pull=SimpleNamespace(DOWN=0)),
        "microcontroller": module("microcontroller", cpu=SimpleNamespace(uid=b"\x12\xab")),
        "supervisor": module("supervisor", runtime=None),
    }


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("chip", ["INA219", "INA226", "INA228"])
def test_the_sketch_speaks_the_line_that_the_driver_reads(
    chip: str,
    sign: int,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (checkout / "firmware" / "power" / "ina2xx_bridge.py").read_text()
    console = Console("?s")
    bus = Bus(chip, sign=sign)
    for name, module in stubs(bus).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["supervisor"], "runtime", console)
    monkeypatch.setattr(sys, "stdin", console)
    clock = count(0, 150_000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    sketch = compile(text.replace('CHIP = "INA228"', f'CHIP = "{chip}"'), "code.py", "exec")
    with pytest.raises(SystemExit):
        exec(sketch, {"__name__": "__main__"})
    monkeypatch.undo()
    wire = Wire(capsys.readouterr().out.encode())
    monkeypatch.setattr(ina2xx, "Line", lambda *_, **__: wire)

    with ina2xx.DRIVER.open("/dev/none", {}) as source:
        assert source.describe().model == f"{chip} on a bridge"
        assert source.configure(Setup()).rate_hz == 500.0
        source.start()
        block = source.read(0.1)
        loss = source.loss()
    assert block is not None
    assert len(block) > SAMPLES
    assert loss.lost_count == 0
    assert loss.notes == ()
    assert np.allclose(block.current_ua, sign * 6000.0)
    assert block.voltage_mv is not None
    assert np.allclose(block.voltage_mv, 3300.0)
    assert set(block.markers.tolist()) == {2}
    assert len(bus.written) == 1


def test_a_sketch_that_finds_another_chip_says_so(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = Bus("INA219")
    for name, module in stubs(bus).items():
        monkeypatch.setitem(sys.modules, name, module)
    text = (checkout / "firmware" / "power" / "ina2xx_bridge.py").read_text()
    with pytest.raises(RuntimeError, match="no INA228 at address 0x40"):
        exec(compile(text, "code.py", "exec"), {"__name__": "__main__"})


def test_a_bridge_whose_currents_depend_on_a_library_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire(b"# npubench-ina2xx INA228 12ab 2000\n")
    monkeypatch.setattr(ina2xx, "Line", lambda *_, **__: wire)
    with pytest.raises(MonitorError, match="1,000 times"), ina2xx.DRIVER.open("/dev/none", {}):
        pass

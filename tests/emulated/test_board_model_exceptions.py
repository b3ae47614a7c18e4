"""Exceptions on the board models are those of a Cortex-M: one image tells the same story on QEMU,
which models them natively, and on Unicorn, where they are ours."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.core.tool import run_tool
from npubench.emulators.board_model.description import RegisterModel
from npubench.emulators.board_model.machine import BoardModel

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
END = "\nend\n"
EXPECTED = {
    "svc": "svc 07 f9 050c",
    "tail": "svc 07 f9 01<pendsv ",
    "nesting": "outer(inner )outer ",
    "primask": "masked inner ",
    "basepri": "inner masked outer(inner )outer ",
    "psp": "svc 09 fd 03",
    "udf": "fault 3 f9 00010000 40000000",
    "load": "fault 3 f9 00008200 40000000 bf000000",
    "udf enabled": "fault 6 f9 00010000 00000000",
    "systick": "3",
    "asleep": "13",
    "floats": "svc 07 e9 01 40000000 40100000 40200000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the image lies on an MPS2 machine; ``uart`` is a CMSDK UART."""

    board: str
    flags: tuple[str, ...]
    uart: int
    code: int
    ram: int


PLACES = (
    Place(
        board="qemu-m4",
        flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
        uart=0x40004000,
        code=0,
        ram=0x20000000,
    ),
    Place(
        board="qemu-m7",
        flags=("-mcpu=cortex-m7", "-mfpu=fpv5-d16"),
        uart=0x40004000,
        code=0,
        ram=0x20000000,
    ),
    Place(
        board="qemu-m33",
        flags=("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
        uart=0x50200000,
        code=0x10000000,
        ram=0x38000000,
    ),
)


@pytest.fixture(params=PLACES, ids=lambda place: place.board)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


@pytest.fixture
def image(place: Place, checkout: Path, tmp_path: Path) -> Path:
    support = checkout / "tests" / "support"
    elf = tmp_path / "exceptions.elf"
    run_tool(
        [
            "arm-none-eabi-gcc", *place.flags, "-mthumb", "-mfloat-abi=hard", "-std=c11", "-O1",
            "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib",
            f"-DNB_UART={place.uart:#x}u",
            f"-Wl,--defsym=NB_CODE={place.code:#x}", f"-Wl,--defsym=NB_RAM={place.ram:#x}",
            "-Wl,--build-id=none", "-T", support / "exceptions.ld",
            support / "exceptions.c", "-o", elf,
        ]
    )  # fmt: skip
    return elf


def on_board_model(place: Place, image: Path) -> str:
    registers = RegisterModel.model_validate(
        {
            "schema": 1,
            "console": {"transmit": "uart.0x00", "receive": "uart.0x00"},
            "block": [{"name": "uart", "base": place.uart, "size_bytes": 0x20}],
        }
    )
    model = BoardModel(load_board(place.board), image, registers=registers)
    for _ in range(100):
        model.run(20_000)
        if model.peripherals.sent.endswith(END.encode()):
            break
    return model.take_sent().decode()


def on_qemu(place: Place, image: Path) -> str:
    emulator = load_board(place.board).emulator
    assert emulator is not None
    argv = [
        emulator.program, "-M", emulator.machine, "-display", "none", "-monitor", "none",
        "-serial", "stdio", "-kernel", str(image),
    ]  # fmt: skip
    heard = ""
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            while not heard.endswith(END):
                byte = process.stdout.read(1)
                if not byte:
                    break
                heard += byte
        finally:
            process.kill()
    return heard


def test_the_model_takes_exceptions_as_the_architecture_says(place: Place, image: Path) -> None:
    text = on_board_model(place, image)
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    assert {name: lines[name].lstrip() for name in EXPECTED} == EXPECTED


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed")
def test_the_same_image_says_the_same_on_qemu(place: Place, image: Path) -> None:
    assert on_board_model(place, image) == on_qemu(place, image)

"""Upload protocols: the exact words for every board that we know, and for each protocol."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from npubench.boards import board_ids, load_board
from npubench.core.errors import ToolMissing
from npubench.flash.upload import find_upload_tool
from support.builder import BUILDER, builder_module
from support.emitted import make_board

upload = builder_module("upload")
IMAGE = {kind: f"image/firmware.{kind}" for kind in ("elf", "bin", "hex")}
PYTHON = sys.executable
WE2 = str(BUILDER / "we2.py")
JLINK = ["-if", "SWD", "-speed", "4000", "-autoconnect", "1", "-NoGui", "1"]
JLINK += ["-ExitOnError", "1", "-CommandFile", "image/upload.jlink"]

GOLDEN: dict[str, list[list[str]]] = {
    "nucleo-l4r5zi": [
        [
            "openocd", "-f", "board/st_nucleo_l4.cfg", "-c", "adapter serial PROBE",
            "-c", "program {image/firmware.elf} verify reset exit",
        ]
    ],
    "nucleo-h7a3zi-q": [
        [
            "openocd", "-f", "interface/stlink.cfg", "-c", "transport select swd",
            "-f", "target/stm32h7x_dual_bank.cfg", "-c", "reset_config srst_only",
            "-c", "adapter serial PROBE", "-c", "program {image/firmware.elf} verify reset exit",
        ]
    ],
    "max78000fthr": [
        [
            "openocd", "-f", "interface/cmsis-dap.cfg", "-f", "target/max78000.cfg",
            "-c", "adapter serial PROBE", "-c", "program {image/firmware.elf} verify reset exit",
        ]
    ],
    "frdm-mcxn947": [
        ["pyocd", "flash", "--target", "mcxn947", "--uid", "PROBE", "image/firmware.elf"],
        ["pyocd", "reset", "--target", "mcxn947", "--uid", "PROBE"],
    ],
    "apollo510-evb": [
        ["JLinkExe", "-SelectEmuBySN", "PROBE", "-device", "AP510NFA-CBR", *JLINK]
    ],
    "esp32-s3-devkitc": [
        [
            "esptool", "--chip", "esp32s3", "--baud", "460800", "--port", "PORT",
            "--after", "hard_reset", "write_flash", "0x10000", "image/firmware.bin",
        ]
    ],
    "pico2": [["picotool", "load", "-v", "-x", "image/firmware.elf", "--ser", "PROBE"]],
    "k210-maix": [
        ["kflash", "-n", "-b", "2000000", "-B", "dan", "-p", "PORT", "image/firmware.bin"]
    ],
    "mimxrt700-evk": [
        [
            "LinkServer", "flash", "--probe", "PROBE", "MIMXRT798S:MIMXRT700-EVK",
            "load", "image/firmware.elf",
        ]
    ],
    "stm32n6570-dk": [
        [
            "STM32_SigningTool_CLI", "-bin", "image/firmware.bin", "-nk", "-of", "0x80000000",
            "-t", "fsbl", "-hv", "2.3", "-align", "-o", "image/firmware-trusted.bin",
        ],
        [
            "STM32_Programmer_CLI", "-c", "port=SWD", "mode=HOTPLUG", "ap=1", "sn=PROBE",
            "-el", "MX66UW1G45G_STM32N6570-DK.stldr", "-d", "image/firmware-trusted.bin",
            "0x70000000",
        ],
    ],
    "grove-vision-ai-v2": [
        [PYTHON, WE2, "pack", "image/firmware.elf", "image/output.img"],
        [PYTHON, WE2, "send", "image/output.img", "--port", "PORT"],
    ],
    "alif-e7-devkit": [
        [PYTHON, str(BUILDER / "setools.py"), "image/firmware.bin", "M55_HP", "0x80008000"]
    ],
    "milkv-duo": [
        [
            "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "root@192.168.42.1",
            "cat > npubench.new && chmod 755 npubench.new && mv npubench.new npubench",
        ]
    ],
}  # fmt: skip


def steps_of(board: str, probe: str = "PROBE", port: str = "PORT") -> list[list[str]]:
    flash = load_board(board).flash
    assert flash is not None
    steps = upload.upload_steps(flash.protocol, list(flash.arguments), IMAGE, probe, port)
    return [step.argv for step in steps]


@pytest.mark.parametrize("board", GOLDEN)
def test_the_words_are_exactly_these(board: str) -> None:
    assert steps_of(board) == GOLDEN[board]


def test_every_protocol_has_its_golden_words() -> None:
    used = {load_board(board).flash.protocol for board in GOLDEN}  # type: ignore[union-attr]
    assert used == set(upload.PROTOCOLS)


@pytest.mark.parametrize(
    "board", [name for name in board_ids() if load_board(name).flash is not None]
)
def test_every_board_is_served_from_its_file_alone(board: str) -> None:
    flash = load_board(board).flash
    assert flash is not None
    programs = {Path(words[0]).name for words in steps_of(board)}
    ours = Path(PYTHON).name
    assert flash.tool in programs or ours in programs
    assert programs - {ours} <= set(upload.INSTALL)
    assert not [word for words in steps_of(board, probe="") for word in words if "PROBE" in word]


def test_jlink_gets_its_script() -> None:
    (step,) = upload.upload_steps("jlink", [], IMAGE, "", "")
    assert step.files == {"image/upload.jlink": "r\nh\nloadfile image/firmware.hex\nr\ng\nexit\n"}


def test_ssh_sends_the_image_as_its_input() -> None:
    (step,) = upload.upload_steps("ssh", ["user@host"], IMAGE, "", "")
    assert step.stdin == "image/firmware.elf"


@pytest.mark.parametrize("protocol", ["we2-xmodem", "kflash"])
def test_a_protocol_that_needs_a_port_says_so(protocol: str) -> None:
    with pytest.raises(ValueError, match="no serial port"):
        upload.upload_steps(protocol, [], IMAGE, "", "")


def test_a_missing_program_is_named_with_how_to_get_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert upload.run_steps([upload.Step(["picotool", "load"]), upload.Step(["never"])]) == 127
    assert (
        "Error: picotool is not installed: https://github.com/raspberrypi/picotool"
        in capfd.readouterr().err
    )


def test_steps_stop_at_the_first_failure(tmp_path: Path) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.exit(int(sys.argv[2]))"
    argv = [[PYTHON, "-c", script, str(tmp_path / name), code] for name, code in ("a0", "b3", "c0")]
    assert upload.run_steps([upload.Step(words) for words in argv]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("package", "hint"),
    [
        ("openocd", "install it: apt-get install openocd"),
        ("LinkServer from https://www.nxp.com/linkserver", "get LinkServer from https://"),
        ("pyocd (pip install pyocd)", "get pyocd (pip install pyocd)"),
    ],
)
def test_the_hint_says_how_the_tool_is_obtained(
    package: str, hint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    flash = make_board().flash
    assert flash is not None
    with pytest.raises(ToolMissing) as error:
        find_upload_tool(flash.model_copy(update={"tool": "uploader", "package": package}))
    assert error.value.hint.startswith(hint)

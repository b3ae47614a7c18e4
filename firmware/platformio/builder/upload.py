"""Upload protocols: from an image to the command lines that put it on a board.

To add one, write a function with the signature of ``_openocd`` and name it in ``PROTOCOLS``. It
gets the board's ``arguments``, ``image`` (``elf``, ``bin`` and ``hex`` to paths), the probe's
serial number and the port (both may be empty), and returns the steps. Sources of the options are in
docs/flashing.md; what no source confirms is marked there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

# A command line, its input (a file or None) and what must be written before: path to text.
Step = namedtuple("Step", ("argv", "stdin", "files"), defaults=(None, {}))

HERE = Path(__file__).resolve().parent
INSTALL = {
    "openocd": "apt-get install openocd",
    "pyocd": "pip install pyocd",
    "JLinkExe": "the J-Link software from https://www.segger.com",
    "esptool": "pip install esptool",
    "picotool": "https://github.com/raspberrypi/picotool",
    "kflash": "pip install kflash",
    "LinkServer": "LinkServer from https://www.nxp.com/linkserver",
    "STM32_SigningTool_CLI": "STM32CubeProgrammer from https://www.st.com",
    "STM32_Programmer_CLI": "STM32CubeProgrammer from https://www.st.com",
    "we2_local_image_gen": "HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2",
    "app-gen-toc": "SETOOLS from https://alifsemi.com",
    "app-write-mram": "SETOOLS from https://alifsemi.com",
    "ssh": "apt-get install openssh-client",
}
SSH_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
N6_NOR = "0x70000000"
N6_LOADER = "MX66UW1G45G_STM32N6570-DK.stldr"
ESP_APPLICATION = "0x10000"


def _openocd(arguments, image, probe_serial, port):
    """OpenOCD: ``arguments`` select probe and target, e.g. ``-f board/st_nucleo_l4.cfg``."""
    del port
    command = ["openocd", *arguments]
    if probe_serial:
        command += ["-c", f"adapter serial {probe_serial}"]
    return [Step([*command, "-c", f"program {{{image['elf']}}} verify reset exit"])]


def _pyocd(arguments, image, probe_serial, port):
    """pyOCD: ``arguments`` name the target, e.g. ``--target mcxn947``; reset is its own step."""
    del port
    select = [*arguments, *(["--uid", probe_serial] if probe_serial else [])]
    return [Step(["pyocd", "flash", *select, image["elf"]]), Step(["pyocd", "reset", *select])]


def _jlink(arguments, image, probe_serial, port):
    """J-Link Commander: ``arguments`` are ``-device``, ``-if`` and ``-speed``."""
    del port
    script = str(Path(image["hex"]).with_name("upload.jlink"))
    text = f"r\nh\nloadfile {image['hex']}\nr\ng\nexit\n"
    select = ["-SelectEmuBySN", probe_serial] if probe_serial else []
    command = ["JLinkExe", *select, *arguments, "-autoconnect", "1", "-NoGui", "1"]
    return [Step([*command, "-ExitOnError", "1", "-CommandFile", script], files={script: text})]


def _esptool(arguments, image, probe_serial, port):
    """esptool: ``arguments`` are chip and speed. Writes the application alone."""
    del probe_serial
    command = ["esptool", *arguments, *(["--port", port] if port else [])]
    return [Step([*command, "--after", "hard_reset", "write_flash", ESP_APPLICATION, image["bin"]])]


def _picotool(arguments, image, probe_serial, port):
    """picotool, with the board in BOOTSEL mode; ``-x`` starts the image afterwards."""
    del port
    select = ["--ser", probe_serial] if probe_serial else []
    return [Step(["picotool", "load", *arguments, "-v", "-x", image["elf"], *select])]


def _kflash(arguments, image, probe_serial, port):
    """kflash for the K210."""
    del probe_serial
    return [Step(["kflash", *arguments, "-p", _needed(port), image["bin"]])]


def _linkserver(arguments, image, probe_serial, port):
    """LinkServer: ``arguments`` name device and board, e.g. ``MCXN947:FRDM-MCXN947``."""
    del port
    select = ["--probe", probe_serial] if probe_serial else []
    return [Step(["LinkServer", "flash", *select, *arguments, "load", image["elf"]])]


def _stm32cubeprogrammer(arguments, image, probe_serial, port):
    """STM32N6 in DEV boot: sign the image as a first-stage loader, write it to the NOR flash."""
    del port
    signed = str(Path(image["bin"]).with_name("firmware-trusted.bin"))
    Path(signed).unlink(missing_ok=True)  # the tool asks before it overwrites
    sign = ["STM32_SigningTool_CLI", "-bin", image["bin"], "-nk", "-of", "0x80000000", "-t", "fsbl"]
    connect = ["-c", "port=SWD", "mode=HOTPLUG", "ap=1"]
    connect += [f"sn={probe_serial}"] if probe_serial else []
    write = ["-el", N6_LOADER, *arguments, "-d", signed, N6_NOR]
    return [
        Step([*sign, "-hv", "2.3", "-align", "-o", signed]),
        Step(["STM32_Programmer_CLI", *connect, *write]),
    ]


def _we2_xmodem(arguments, image, probe_serial, port):
    """Himax WE2: the vendor's tool packs the image, its boot menu takes it by XMODEM."""
    del probe_serial
    packed = str(Path(image["elf"]).with_name("output.img"))
    program = [sys.executable, str(HERE / "we2.py")]
    return [
        Step([*program, "pack", image["elf"], packed]),
        Step([*program, "send", packed, "--port", _needed(port), *arguments]),
    ]


def _setools(arguments, image, probe_serial, port):
    """Alif SETOOLS: ``arguments`` are core and address, e.g. ``M55_HP 0x80008000``."""
    del probe_serial, port
    program = [sys.executable, str(HERE / "setools.py")]
    return [Step([*program, image["bin"], *arguments])]


def _ssh(arguments, image, probe_serial, port):
    """A Linux board: ``arguments`` end in ``user@host``. The program is replaced at once or not."""
    del probe_serial, port
    place = "cat > npubench.new && chmod 755 npubench.new && mv npubench.new npubench"
    return [Step(["ssh", *SSH_OPTIONS, *arguments, place], stdin=image["elf"])]


def _needed(port):
    if not port:
        raise ValueError("no serial port is named; give --upload-port")
    return port


PROTOCOLS = {
    "esptool": _esptool,
    "jlink": _jlink,
    "kflash": _kflash,
    "linkserver": _linkserver,
    "openocd": _openocd,
    "picotool": _picotool,
    "pyocd": _pyocd,
    "setools": _setools,
    "ssh": _ssh,
    "stm32cubeprogrammer": _stm32cubeprogrammer,
    "we2-xmodem": _we2_xmodem,
}


def upload_steps(protocol, arguments, image, probe_serial, port):
    """The steps as a list. Raises ValueError for an unknown protocol or a missing port."""
    if protocol not in PROTOCOLS:
        known = ", ".join(sorted(PROTOCOLS))
        raise ValueError(f"unknown upload protocol {protocol!r}; known: {known}")
    return PROTOCOLS[protocol](arguments, image, probe_serial, port)


def run_steps(steps):
    """Run them in order up to the first that fails; its exit code, 127 without its program."""
    for step in steps:
        code = run_step(step)
        if code != 0:
            return code
    return 0


def run_step(step):
    """Run one; a program that is missing is named with how to get it."""
    sys.stdout.write(f"upload: {step.argv}\n")
    sys.stdout.flush()
    program = step.argv[0]
    if shutil.which(program) is None:
        sys.stderr.write(f"Error: {program} is not installed: {INSTALL.get(program, program)}\n")
        return 127
    for path, text in step.files.items():
        Path(path).write_text(text, encoding="utf-8")
    if step.stdin is None:
        return subprocess.call(step.argv, stdin=subprocess.DEVNULL)
    with open(step.stdin, "rb") as file:
        return subprocess.call(step.argv, stdin=file)

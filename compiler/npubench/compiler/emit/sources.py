"""Which of the firmware's own files travel with an emitted project."""

from __future__ import annotations

from pathlib import Path

from npubench.boards import Board
from npubench.compiler.emit.names import file_name
from npubench.compiler.plan import KernelCall, Plan
from npubench.core.errors import CompileError, ConfigError
from npubench.core.paths import data_root

PORTABLE = "portable"
_SOURCE_SUFFIXES = frozenset((".c", ".cpp", ".h", ".S"))


def firmware_root() -> Path:
    """The folder of the firmware's sources."""
    return data_root() / "firmware"


def firmware_files(plan: Plan, board: Board) -> dict[str, bytes]:
    """Path in the project to content: harness, HAL, driver, the kernels in use, the platform."""
    root = firmware_root()
    files = include_files()
    files |= _tree(root / "harness", "src/harness")
    files |= hal_files(board)
    files |= _kernels(root / "kernels", plan, board)
    if plan.driver != "none":
        folder = root / "npu" / file_name(plan.driver)
        if not folder.is_dir():
            raise CompileError(
                f"there is no driver {plan.driver!r}",
                hint=f"it would be in firmware/npu/{plan.driver}",
            )
        files |= _tree(folder, f"src/npu/{plan.driver}")
    return files | (platform_files() if board.sdk is None else sdk_files(board.sdk.framework))


def sdk_files(framework: str) -> dict[str, bytes]:
    """What a vendor's framework wants of a project: firmware/sdk/<framework>, if there is one."""
    folder = firmware_root() / "sdk" / framework
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def include_files() -> dict[str, bytes]:
    """The headers between harness, kernels, HAL and model."""
    return _tree(firmware_root() / "include", "include")


def hal_files(board: Board) -> dict[str, bytes]:
    """The board's HAL family, and what the families share.

    nb_hal_counter.h goes to the common headers: the harness reads the counter inline. A board that
    is only described (``status.missing``) has no family: its project lacks these files.
    """
    hal = firmware_root() / "hal"
    files = _tree(hal / "common", "src/hal/common")
    if not (hal / board.hal).is_dir():
        if board.status.missing:
            return files
        raise ConfigError(
            f"board {board.id}: hal: there is no family {board.hal!r}",
            hint=f"it would be in firmware/hal/{board.hal}; see docs/add-a-board.md",
        )
    files |= _tree(hal / board.hal, f"src/hal/{board.hal}")
    files["include/nb_hal_counter.h"] = files.pop(f"src/hal/{board.hal}/nb_hal_counter.h")
    return files


def platform_files() -> dict[str, bytes]:
    """Our PlatformIO platform."""
    folder = firmware_root() / "platformio"
    return {
        f"platform/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".json", ".py")
    }


def kernel_flavours(board: Board) -> tuple[str, ...]:
    """Kernel folders of a board, best first; ``portable`` closes the list."""
    return tuple(dict.fromkeys((*board.cpu.kernels, PORTABLE)))


def _kernels(root: Path, plan: Plan, board: Board) -> dict[str, bytes]:
    """Of each kernel's file the first flavour that has it, and every flavour's headers."""
    files: dict[str, bytes] = {}
    flavours = kernel_flavours(board)
    calls = {(s.source, s.flavour) for s in plan.steps if isinstance(s, KernelCall)}
    for source, wanted in sorted(calls, key=lambda call: (call[0], call[1] or "")):
        name = file_name(source)
        allowed = flavours if wanted is None else (wanted,)
        found = next((f for f in allowed if (root / f / name).is_file()), None)
        if found is None:
            raise CompileError(
                f"no kernel flavour of board {board.id} has {name}",
                hint=f"looked in {', '.join(allowed)} under firmware/kernels",
            )
        files[f"src/kernels/{found}/{name}"] = (root / found / name).read_bytes()
    for flavour in flavours:
        for header in sorted((root / flavour).glob("*.h")):
            files[f"src/kernels/{flavour}/{header.name}"] = header.read_bytes()
    return files


def _tree(folder: Path, target: str) -> dict[str, bytes]:
    return {
        f"{target}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in _SOURCE_SUFFIXES and path.is_file()
    }

"""A build by recorded commands gives PlatformIO's image, byte for byte; it tells no errors."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.build import firmware as firmware_module
from npubench.build.compiler import CLANGS
from npubench.build.firmware import build_firmware
from npubench.build.replay import replaying
from npubench.compiler.compiled import compile_network, read_bytes
from npubench.compiler.emit.project import Project, content_sha256
from npubench.compiler.synthetic import NetworkBuilder
from npubench.core.errors import ToolError
from npubench.core.progress import Silent
from npubench.target import Options
from npubench.zoo import ResolvedModel
from support.emitted import needs_arm

pytestmark = needs_arm
BOARD = load_board("qemu-m4")


def project(side: int, options: Options = ()) -> Project:
    net = NetworkBuilder("n")
    data = net.finish(net.conv(net.input((1, side, side, 2)), 4))
    model = ResolvedModel(id=f"side{side}", path=Path("n.tflite"), entry=None)
    return compile_network(read_bytes(model, data), BOARD, "cpu", options).project


def test_same_image_as_platformio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with replaying():
        build_firmware(project(4), BOARD, reporter=Silent(), job="t", cache=tmp_path / "a")

        def forbidden(*_: object, **__: object) -> None:
            raise AssertionError("PlatformIO was started again")

        with monkeypatch.context() as patch:
            patch.setattr(firmware_module, "run_platformio", forbidden)
            patch.setattr("npubench.build.replay.run_platformio", forbidden)
            ours = build_firmware(
                project(5), BOARD, reporter=Silent(), job="t", cache=tmp_path / "a"
            )
    theirs = build_firmware(project(5), BOARD, reporter=Silent(), job="t", cache=tmp_path / "b")
    assert ours.elf_sha256 == theirs.elf_sha256
    assert ours.elf.with_suffix(".hex").read_bytes() == theirs.elf.with_suffix(".hex").read_bytes()

    broken = project(6)
    files = broken.files | {"src/model/nb_model.c": b"#error it does not compile\n"}
    broken = replace(broken, files=files, sha256=content_sha256(files))
    with replaying(), pytest.raises(ToolError, match="it does not compile"):
        build_firmware(broken, BOARD, reporter=Silent(), job="t", cache=tmp_path / "a")


@pytest.mark.long  # two builds by PlatformIO
@pytest.mark.skipif(not any(map(shutil.which, CLANGS)), reason="needs clang")
def test_a_project_for_clang_is_built_by_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (("toolchain", "clang"),)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("PlatformIO was started again")

    with replaying():
        build_firmware(project(4, options), BOARD, reporter=Silent(), job="t", cache=tmp_path / "a")
        with monkeypatch.context() as patch:
            patch.setattr(firmware_module, "run_platformio", forbidden)
            patch.setattr("npubench.build.replay.run_platformio", forbidden)
            ours = build_firmware(
                project(5, options), BOARD, reporter=Silent(), job="t", cache=tmp_path / "a"
            )
    theirs = build_firmware(
        project(5, options), BOARD, reporter=Silent(), job="t", cache=tmp_path / "b"
    )
    assert ours.elf_sha256 == theirs.elf_sha256

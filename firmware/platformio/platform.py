"""npubench's PlatformIO platform: no board list, compilers from PATH.

The board's manifest names the compiler's prefix. When that compiler is not on PATH and the manifest
names a PlatformIO package that has it, PlatformIO gets the package.
"""

from __future__ import annotations

import shutil

from platformio.platform.base import PlatformBase


class NpubenchPlatform(PlatformBase):
    """The class that PlatformIO looks for by the platform's name."""

    def configure_default_packages(self, variables, targets):
        board = self.board_config(variables["board"])
        package = board.get("build.toolchain_platformio", "")
        compiler = board.get("build.toolchain_prefix", "") + "gcc"
        if package and shutil.which(compiler) is None:
            self.packages[package] = {
                "type": "toolchain",
                "owner": "platformio",
                "version": "*",
                "optional": False,
            }
        return super().configure_default_packages(variables, targets)

"""How an emitted project is compiled and linked.

Every path in a command is relative to the project, so that objects in the shared cache serve any
project, wherever it lies. What depends on the place stands between ``$(`` and ``$)``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment, Exit

env = DefaultEnvironment()
platform = env.PioPlatform()
board = env.BoardConfig()

sys.path.insert(0, str(Path(platform.get_dir()) / "builder"))
from upload import run_steps, upload_steps  # noqa: E402

prefix = board.get("build.toolchain_prefix", "")
hosted = bool(board.get("build.hosted", False))
project = env.subst("$PROJECT_DIR")
build = os.path.relpath(env.subst("$BUILD_DIR"), project)
nobuild = "nobuild" in COMMAND_LINE_TARGETS
# An image that was built elsewhere, to be uploaded as it is.
output = os.environ.get("NPUBENCH_IMAGE_DIR", build) if nobuild else build
image = {kind: f"{output}/firmware.{kind}" for kind in ("elf", "bin", "hex", "map")}

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow"]
if os.environ.get("NPUBENCH_WERROR"):
    WARNINGS.append("-Werror")
COMMON = [
    *board.get("build.cpu_flags", []),
    "-std=c11",
    "-g",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    *([] if hosted else ["-fno-exceptions", "-fno-asynchronous-unwind-tables"]),
    *WARNINGS,
]
FREESTANDING = [] if hosted else ["-ffreestanding"]
# Folder under src/ to its optimisation. Kernels and model may use the compiler's own memcpy.
FOLDERS = {
    # The portable kernels are written for scalar cores; what gcc 12 makes of them with Helium costs
    # up to 1.5 times the instructions.
    "kernels": ["-O2", "-fno-tree-vectorize"],
    "model": ["-O2"],
    "npu": ["-O2", *FREESTANDING],
    # Of gcc 12's passes these two make the harness larger, under -Os, too.
    "harness": ["-Os", "-fno-move-loop-invariants", "-fno-tree-dominator-opts", *FREESTANDING],
    "hal": ["-Os", *FREESTANDING],
}

env.Replace(
    CC=prefix + "gcc",
    AS=prefix + "gcc",
    LINK=prefix + "gcc",
    OBJCOPY=prefix + "objcopy",
    SIZETOOL=prefix + "size",
    SIZEPROGREGEXP=r"^(?:\.vectors|\.text|\.rodata|\.nb_weights|\.data)\s+(\d+)",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.noinit|\.nb_arena|\.nb_output|\.nb_fixture|\.nb_stack)\s+(\d+)",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    CPPPATH=[
        "#/include",
        *(
            f"#/{p.as_posix()}"
            for p in sorted(Path("src").glob("*/*"))
            if p.is_dir() and p.parent.name in ("hal", "npu")
        ),
    ],
    CCFLAGS=COMMON,
    PREFIX_MAP=[f"-ffile-prefix-map={project}=."],
    CCCOM="$CC -o $TARGET -c $CCFLAGS $( $PREFIX_MAP $) $_CPPINCFLAGS $SOURCES",
    ASPPCOM="$CC -o $TARGET -c $CCFLAGS $( $PREFIX_MAP $) $_CPPINCFLAGS $SOURCES",
    LINKCOM="$LINK -o $TARGET $LINKFLAGS $SOURCES $LINKLIBS",
    LINKFLAGS=[
        *COMMON,
        *([] if hosted else ["-nostartfiles", "-T", board.get("build.ldscript")]),
        *board.get("build.link_flags", []),
        "-Wl,--gc-sections",
        "-Wl,--build-id=none",
        "-Wl,-z,noexecstack",
        f"-Wl,-Map={image['map']}",
    ],
    LINKLIBS="-lm" if hosted else "-Wl,--start-group -lc -lgcc -lm -Wl,--end-group",
)
if os.environ.get("NPUBENCH_BUILD_CACHE"):
    env.CacheDir(os.environ["NPUBENCH_BUILD_CACHE"])


def objects():
    """One object per source, in a fixed order."""
    found = []
    for folder, flags in sorted(FOLDERS.items()):
        root = Path("src") / folder
        for source in sorted(path for path in root.rglob("*") if path.suffix in (".c", ".S")):
            node = env.StaticObject(
                target=f"#/{build}/{source.as_posix()}.o",
                source=f"#/{source.as_posix()}",
                CCFLAGS=[*COMMON, *flags],
            )
            if folder == "model":
                env.NoCache(node)
                env.Depends(node, [f"#/{p.as_posix()}" for p in sorted(root.glob("*.bin"))])
            found += node
    return found


if nobuild:
    program = [env.File(f"#/{image['elf']}")]
else:
    program = env.Program(f"#/{image['elf']}", objects())
    env.NoCache(program)
    env.SideEffect(f"#/{image['map']}", program)
    if not hosted:
        env.Depends(program, f"#/{board.get('build.ldscript')}")
env.Replace(PIOMAINPROG=program)

outputs = list(program)
if not hosted and not nobuild:
    forms = [("hex", "ihex")]
    if board.get("upload.one_region", False):  # a flat image of two would fill the gap between
        forms.append(("bin", "binary"))
    for kind, form in forms:
        node = env.Command(
            f"#/{image[kind]}",
            program,
            env.VerboseAction(f"$OBJCOPY -O {form} $SOURCE $TARGET", f"Writing {image[kind]}"),
        )
        env.NoCache(node)
        outputs += node

AlwaysBuild(env.Alias("nobuild", program))
AlwaysBuild(env.Alias("buildprog", program))
AlwaysBuild(
    env.Alias("checkprogsize", program, env.VerboseAction(env.CheckUploadSize, "Checking size"))
)


def upload(target, source, env):
    """Put the image on the board by the board's protocol."""
    del target, source
    serial = os.environ.get("NPUBENCH_PROBE_SERIAL") or env.GetProjectOption(
        "custom_probe_serial", ""
    )
    try:
        steps = upload_steps(
            env.subst("$UPLOAD_PROTOCOL"),
            [*board.get("upload.arguments", []), *env.get("UPLOAD_FLAGS", [])],
            image,
            serial,
            env.subst("$UPLOAD_PORT"),
        )
    except ValueError as error:
        sys.stderr.write(f"Error: {error}\n")
        Exit(1)
    return run_steps(steps)


env.AddPlatformTarget("upload", program, [env.VerboseAction(upload, "Uploading")], "Upload")
Default(outputs)

"""How an emitted project is compiled and linked.

Every path in a command is relative to the project, so that objects in the shared cache serve any
project, wherever it lies. What depends on the place stands between ``$(`` and ``$)``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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

# A user's own engine: where its headers lie, its macros, and its optimisation by path.
engine = json.loads(Path("engine.json").read_text()) if Path("engine.json").is_file() else {}
# clang compiles C and C++ for Arm; assembler, libraries and linker stay gcc's.
clang = board.get("build.compiler", "gcc") == "clang"

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow"]
if os.environ.get("NPUBENCH_WERROR"):
    WARNINGS.append("-Werror")
LANGUAGE = ["-std=c11"]
COMMON = [
    *board.get("build.cpu_flags", []),
    *LANGUAGE,
    "-g",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    *([] if hosted else ["-fno-exceptions", "-fno-asynchronous-unwind-tables"]),
    *WARNINGS,
]
# At which level kernels are compiled.
LEVEL = board.get("build.kernels_level", "-O2")
FREESTANDING = [] if hosted else ["-ffreestanding"]
# Folder under src/ to its optimisation. Kernels and model may use the compiler's own memcpy.
FOLDERS = {
    # The portable kernels are written for scalar cores; what gcc 12 makes of them with Helium costs
    # up to 1.5 times the instructions.
    "kernels": [LEVEL] if clang else [LEVEL, "-fno-tree-vectorize"],
    "model": ["-O2"],
    "npu": ["-O2", *FREESTANDING],
    # Of gcc 12's passes these two make the harness larger, under -Os, too.
    "harness": [
        "-Os",
        *([] if clang else ["-fno-move-loop-invariants", "-fno-tree-dominator-opts"]),
        *FREESTANDING,
    ],
    "hal": ["-Os", *FREESTANDING],
}

PLUS = ["-std=c++17", "-fno-rtti", "-fno-threadsafe-statics", "-fno-unwind-tables"]
CLANGS = ("clang", *(f"clang-{number}" for number in range(30, 13, -1)))


def libc_folders():
    """Where gcc looks for headers that are not the compiler's own, the C library's."""
    words = [prefix + "gcc", "-E", "-Wp,-v", "-xc", os.devnull]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    return [line.strip() for line in said.splitlines() if line.startswith(" /")][-1:]


compiler, plus = [prefix + "gcc"], [prefix + "g++"]
if clang:
    found = next((name for name in CLANGS if shutil.which(name)), None)
    if found is None:
        sys.stderr.write("Error: clang is not installed\n")
        Exit(1)
    target = [found, "--target=arm-none-eabi"]
    compiler = [*target, "$(", *(f"-isystem{path}" for path in libc_folders()), "$)"]
    plus = [prefix + "g++"]  # its headers are gcc's own

env.Replace(
    CC=" ".join(compiler),
    CXX=" ".join(plus),
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
    CXXCOM="$CXX -o $TARGET -c $CCFLAGS $( $PREFIX_MAP $) $_CPPINCFLAGS $SOURCES",
    ASPPCOM="$AS -o $TARGET -c $CCFLAGS $( $PREFIX_MAP $) $_CPPINCFLAGS $SOURCES",
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


def engine_scope(path):
    """How a source of the engine is compiled: by the longest start of its path."""
    scopes = [scope for scope in engine["scopes"] if path.startswith(scope["start"])]
    return max(scopes, key=lambda scope: len(scope["start"]))


def source_flags(source, folder, flags):
    """Flags of one source. A user's own engine is compiled as its makers do: without our warnings,
    in its own dialect; what meets it sees its headers."""
    if not engine or folder not in ("engine", "model", "kernels"):
        return {"CCFLAGS": [*COMMON, *flags]}
    plus = source.suffix in (".cc", ".cpp")
    plain = [flag for flag in COMMON if flag not in ("-g", *LANGUAGE, *WARNINGS)]
    if folder == "engine":
        scopes = [engine_scope(source.relative_to("src/engine").as_posix())]
        language = PLUS if plus else ["-std=c17"]
        flags = [*plain, *language, "-w", scopes[0]["level"]]
    else:
        scopes = engine["scopes"]
        flags = [*plain, *PLUS, *flags] if plus else [*COMMON, *flags]
    defines = dict.fromkeys(f"-D{name}" for scope in scopes for name in scope["defines"])
    includes = dict.fromkeys(
        f"#/src/engine/{path}".rstrip("/") for scope in scopes for path in scope["includes"]
    )
    return {"CCFLAGS": [*flags, *defines], "CPPPATH": [*env["CPPPATH"], *includes]}


def objects():
    """One object per source, in a fixed order."""
    found = []
    folders = FOLDERS | ({"engine": []} if engine else {})
    for folder, flags in sorted(folders.items()):
        root = Path("src") / folder
        endings = (".c", ".S", ".cc", ".cpp") if engine else (".c", ".S")
        for source in sorted(path for path in root.rglob("*") if path.suffix in endings):
            chosen = source_flags(source, folder, flags)
            if clang and source.suffix == ".c":  # which takes the unit from the core
                chosen["CCFLAGS"] = [flag for flag in chosen["CCFLAGS"] if flag != "-mfpu=auto"]
            node = env.StaticObject(
                target=f"#/{build}/{source.as_posix()}.o",
                source=f"#/{source.as_posix()}",
                **chosen,
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

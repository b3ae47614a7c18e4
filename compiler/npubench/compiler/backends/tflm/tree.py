"""A user's tree of TensorFlow Lite Micro: its kernels, its resolver, the sources for a build.

Both forms are read: what create_tflm_tree.py writes, and a checkout whose Makefile has fetched its
third parties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from npubench.compiler.plan import EngineScope, EngineTree
from npubench.compiler.vendor.sources import Closure, UserTree, functions_closure, tree_version
from npubench.core.errors import UnsupportedOp

Kernels = Literal["cmsis-nn", "reference"]

TREE: Final = UserTree(
    name="TensorFlow Lite Micro",
    option="tflm.path",
    variable="NPUBENCH_TFLM",
    install="make one with tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py "
    "of github.com/tensorflow/tflite-micro",
)
_MICRO = "tensorflow/lite/micro"
_KERNELS = f"{_MICRO}/kernels"
_RESOLVER = f"{_MICRO}/micro_mutable_op_resolver.h"
_NEEDED = (_RESOLVER, f"{_MICRO}/micro_interpreter.cc", f"{_MICRO}/micro_interpreter_graph.h")
_GLUE_HEADERS = (
    f"{_MICRO}/micro_interpreter.h",
    f"{_MICRO}/micro_allocator.h",
    f"{_MICRO}/micro_resource_variable.h",
    "tensorflow/lite/schema/schema_generated.h",
)
_THIRD_PARTIES = ("third_party", f"{_MICRO}/tools/make/downloads")
_FLATBUFFERS = "flatbuffers/include/flatbuffers/flatbuffers.h"
_METHOD = re.compile(r"TfLiteStatus\s+(Add\w+)\s*\(")
_DEFINES = (
    "TF_LITE_STATIC_MEMORY",
    "TF_LITE_DISABLE_X86_NEON",
    "TF_LITE_STRIP_ERROR_STRINGS",
    "NDEBUG",
    "KERNELS_OPTIMIZED_FOR_SPEED",
)
_CMSIS_DEFINES = ("CMSIS_NN", "ARM_NN_ENABLE_F16=0", "ARM_NN_ENABLE_F32=0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How the tree's resolver takes an operator: its method, and the functions that it calls."""

    method: str
    functions: tuple[str, ...]


class TflmTree:
    """One tree, checked. Raises ToolMissing, ToolError."""

    def __init__(self, path: str, kernels: Kernels | None, *, arm: bool) -> None:
        self.root = TREE.find(path)
        for name in _NEEDED:
            if not (self.root / name).is_file():
                raise TREE.lacks(self.root, f"has no {name}: it is none, or too old")
        found = (self.root / base for base in _THIRD_PARTIES)
        # A checkout has a third_party of its own, with build rules and no sources.
        third = next((base for base in found if (base / _FLATBUFFERS).is_file()), None)
        if third is None:
            raise TREE.lacks(self.root, f"has no {_FLATBUFFERS}: its Makefile has fetched nothing")
        self._third = third
        optimised = (self.root / _KERNELS / "cmsis_nn").is_dir() and self._cmsis_root() is not None
        if kernels == "cmsis-nn" and not (optimised and arm):
            raise TREE.lacks(
                self.root,
                "has no CMSIS-NN beside it (make it with OPTIMIZED_KERNEL_DIR=cmsis_nn)"
                if arm
                else "can give this core no CMSIS-NN kernels: it is no Arm Cortex-M",
            )
        self.kernels: Kernels = kernels or ("cmsis-nn" if optimised and arm else "reference")
        self._registrations = self._read_resolver()

    def registration(self, kind: str, custom_code: str, index: int) -> Registration:
        """The resolver's method for an operator. Raises UnsupportedOp."""
        found = self._registrations.get(custom_code if kind == "CUSTOM" else kind)
        if found is None:
            raise UnsupportedOp(
                op=custom_code or kind,
                index=index,
                reason="this tree of TensorFlow Lite Micro has no kernel for it",
                hint="take a newer tree, or another backend",
            )
        return found

    def sources(self, registrations: Iterable[Registration], level: str = "O2") -> EngineTree:
        """What a build of these operators takes, kernels compiled at ``level``.

        Raises ToolError where the tree lacks a part.
        """
        closure = Closure(tuple(self._roots()), self._companions)
        for header in _GLUE_HEADERS:
            closure.add(header)
            for source in self._companions(header):
                closure.add(source)
        headers = Closure(tuple(self._roots()))
        headers.add(_RESOLVER)
        for registration in registrations:
            for function in registration.functions:
                for name in self._homes(function):
                    closure.add(name)
        files = headers.files | closure.files
        if self.kernels == "cmsis-nn":
            files |= self._cmsis_sources(files, headers)
        return EngineTree(
            name=f"TFLM with {'CMSIS-NN' if self.kernels == 'cmsis-nn' else 'reference'} kernels",
            version=tree_version(self.root, files),
            files=dict(sorted(files.items())),
            scopes=tuple(self._scopes(level)),
        )

    def _scopes(self, level: str) -> Iterator[EngineScope]:
        """As its Makefile has it: the core small, kernels and third parties fast."""
        roots = tuple(prefix for prefix, _ in self._roots())
        core = tuple(prefix for prefix in roots if not prefix.startswith("third_party/cmsis"))
        own = _CMSIS_DEFINES if self.kernels == "cmsis-nn" else ()
        yield EngineScope(level="-Os", defines=_DEFINES, includes=core)
        for start in (_KERNELS, "signal/micro/kernels", "third_party"):
            yield EngineScope(
                start=start, level=f"-{level}", defines=_DEFINES + own, includes=roots
            )

    def kernel_file(self, registration: Registration) -> str:
        """The file that an operator's kernel stands in, for the record."""
        for function in registration.functions:
            for name in self._homes(function):
                return name.removeprefix(f"{_KERNELS}/")
        return registration.functions[0] if registration.functions else registration.method

    def _roots(self) -> Iterator[tuple[str, Path]]:
        yield "", self.root
        for name in ("flatbuffers/include", "gemmlowp", "ruy", "kissfft"):
            if (self._third / name).is_dir():
                yield f"third_party/{name}", self._third / name
        cmsis = self._cmsis_root()
        if cmsis is not None and self.kernels == "cmsis-nn":
            yield "third_party/cmsis_nn", cmsis
            yield "third_party/cmsis_nn/Include", cmsis / "Include"
            yield "third_party/cmsis", self._third / "cmsis"
            core = self._third / "cmsis" / "CMSIS" / "Core" / "Include"
            yield "third_party/cmsis/CMSIS/Core/Include", core

    def _cmsis_root(self) -> Path | None:
        root = self._third / "cmsis_nn"
        core = self._third / "cmsis" / "CMSIS" / "Core" / "Include"
        return root if (root / "Source").is_dir() and core.is_dir() else None

    def _cmsis_sources(self, files: dict[str, bytes], headers: Closure) -> dict[str, bytes]:
        root = self._cmsis_root()
        assert root is not None
        wanted = [data for name, data in files.items() if "/cmsis_nn/" in name and ".c" in name]
        found = functions_closure(
            root / "Source", "arm_", wanted, leave_out=lambda path: path.stem.endswith(_FLOATS)
        )
        headers.add("arm_nnfunctions.h")
        headers.add("arm_nnsupportfunctions.h")
        for header in sorted((self._third / "cmsis" / "CMSIS" / "Core" / "Include").rglob("*.h")):
            core = self._third / "cmsis" / "CMSIS" / "Core" / "Include"
            headers.add(header.relative_to(core).as_posix())
        return headers.files | {
            f"third_party/cmsis_nn/Source/{name}": data for name, data in found.items()
        }

    def _companions(self, header: str) -> Iterator[str]:
        """Sources that stand behind a header. Kernels' own come by their registration alone, what
        they share by ``_common``; an optimised file takes the place of the plain one."""
        base = header.removesuffix(".h")
        if base.startswith("signal/micro/kernels/"):
            return
        if base.startswith(f"{_KERNELS}/"):
            yield from self._kernel(f"{base}_common")
            if not self._registers(base):
                yield from self._kernel(base)
            return
        yield f"{base}.cc"
        yield f"{base}.cpp"

    def _kernel(self, base: str) -> Iterator[str]:
        """A kernel's source by its path without the ending, the chosen set's first."""
        stem = base.removeprefix(f"{_KERNELS}/")
        folders = (f"{_KERNELS}/cmsis_nn/", f"{_KERNELS}/")
        for folder in folders if self.kernels == "cmsis-nn" else folders[1:]:
            for ending in (".cc", ".cpp"):
                if (self.root / f"{folder}{stem}{ending}").is_file():
                    yield f"{folder}{stem}{ending}"
                    return

    def _registers(self, base: str) -> bool:
        """Whether a kernel's source registers an operator: then only that operator brings it."""
        return any(b"Register_" in (self.root / name).read_bytes() for name in self._kernel(base))

    def _homes(self, function: str) -> tuple[str, ...]:
        """The source that defines a registering function, the chosen set's first.

        Raises ToolError where none does.
        """
        define = re.compile(rf"\b{function}\s*\(\s*\)\s*\{{".encode())
        folders = [f"{_KERNELS}/cmsis_nn"] if self.kernels == "cmsis-nn" else []
        for folder in (*folders, _KERNELS, "signal/micro/kernels"):
            for path in sorted((self.root / folder).glob("*.c*")):
                if define.search(path.read_bytes()):
                    return (f"{folder}/{path.name}",)
        raise TREE.lacks(
            self.root,
            f"has no {function} for {self.kernels} kernels: it was made for other kernels, "
            "or is not whole",
        )

    def _read_resolver(self) -> dict[str, Registration]:
        """Operators (or custom names) by the methods of the resolver's header."""
        text = (self.root / _RESOLVER).read_text(encoding="utf-8", errors="replace")
        starts = [(match[1], match.start()) for match in _METHOD.finditer(text)]
        found: dict[str, Registration] = {}
        for (method, start), (_, end) in zip(starts, [*starts[1:], ("", len(text))], strict=True):
            body = text[start:end]
            kind = re.search(r"AddBuiltin\(\s*(?:tflite::)?BuiltinOperator_(\w+)", body)
            custom = re.search(r'AddCustom\(\s*"([^"]+)"', body)
            functions = tuple(dict.fromkeys(re.findall(r"\bRegister_\w+", body)))
            if kind or custom:
                name = kind[1] if kind else custom[1] if custom else ""
                found.setdefault(name, Registration(method=method, functions=functions))
        if "CONV_2D" not in found:
            raise TREE.lacks(self.root, f"has a {_RESOLVER} that names no CONV_2D: it is too old")
        return found


_FLOATS = ("_f16", "_f32", "_flt")

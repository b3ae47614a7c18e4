"""Where the networks of a sweep come from: a family, a builder of the user's, or a fixed model."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from npubench.compiler.importers.load import load_model
from npubench.core.errors import CompileError, NpubenchError, UsageError
from npubench.core.paths import cache_root
from npubench.core.progress import Reporter
from npubench.sweep.axis import Axis, Value
from npubench.sweep.families import Family, family_names, load_family
from npubench.zoo import ResolvedModel, model_id_of, zoo_ids

BUILDER_SUFFIX = ".py"


class Source(Protocol):
    """Makes the network of a point."""

    @property
    def name(self) -> str:
        """What the sweep's networks are called."""

    @property
    def weights(self) -> Literal["seeded", "own"]:
        """Whether the networks were made for their cost alone."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """What of the network can be varied."""

    def network(self, values: Mapping[str, Value]) -> ResolvedModel:
        """The network for some values, the others at their default. Raises NpubenchError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySource:
    """Networks of a family."""

    family: Family
    weights: Literal["seeded", "own"] = "seeded"

    @property
    def name(self) -> str:
        return self.family.name

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.family.parameters)

    def network(self, values: Mapping[str, Value]) -> ResolvedModel:
        numbers: dict[str, int | float] = {}
        for name, value in values.items():
            if isinstance(value, str):
                raise UsageError(f"{name}={value}: {self.name} wants a number")
            numbers[name] = value
        return _kept(self.name, self.family.build(numbers), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSource:
    """One model; only its target is varied."""

    model: ResolvedModel
    weights: Literal["seeded", "own"] = "own"

    @property
    def name(self) -> str:
        return self.model.id

    @property
    def parameters(self) -> tuple[str, ...]:
        return ()

    def network(self, values: Mapping[str, Value]) -> ResolvedModel:
        del values
        return self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderSource:
    """A function of the user's, called with the varied values by name: it returns a .tflite (bytes
    or a path) or a Keras model, which is imported as any other."""

    title: str
    function: Callable[..., Any]
    reporter: Reporter
    weights: Literal["seeded", "own"] = "own"

    @property
    def name(self) -> str:
        return self.title

    @property
    def parameters(self) -> tuple[str, ...]:
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        found = inspect.signature(self.function).parameters.values()
        return tuple(item.name for item in found if item.kind in kinds)

    def network(self, values: Mapping[str, Value]) -> ResolvedModel:
        try:
            made = self.function(**values)
        except NpubenchError:
            raise
        except Exception as error:
            shown = ", ".join(f"{name}={value}" for name, value in values.items())
            raise CompileError(
                f"{self.title}({shown}) failed: {type(error).__name__}: {error}",
                hint="the builder is your own: call it alone to see where",
            ) from error
        if isinstance(made, bytes | bytearray):
            return _kept(self.title, bytes(made), values)
        if isinstance(made, str | os.PathLike):
            path = Path(made)
            found = load_model(str(path), reporter=self.reporter)
            return _kept(self.title, found.path.read_bytes(), values)
        if not callable(getattr(made, "save", None)):
            raise CompileError(
                f"{self.title} returned {type(made).__name__}",
                hint="return the bytes or the path of a .tflite, or a Keras model",
            )
        with tempfile.TemporaryDirectory(prefix="npubench-sweep-") as folder:
            file = Path(folder) / f"{_title(self.title, values)}.keras"
            made.save(file)
            found = load_model(str(file), reporter=self.reporter)
            return _kept(self.title, found.path.read_bytes(), values)


def source_of(argument: str, axes: tuple[Axis, ...], reporter: Reporter) -> Source:
    """What a sweep's MODEL means. A family is one before a zoo model of the same name where
    something of it is varied. Raises UsageError."""
    varied = [axis.name for axis in axes if not axis.of_target]
    source: Source
    file, colon, function = argument.rpartition(":")
    if colon and file.endswith(BUILDER_SUFFIX) and Path(file).is_file():
        source = BuilderSource(
            title=model_id_of(Path(file)),
            function=_function(Path(file), function),
            reporter=reporter,
        )
    elif argument in family_names() and (varied or argument not in zoo_ids()):
        source = FamilySource(family=load_family(argument))
    else:
        try:
            source = FixedSource(model=load_model(argument, reporter=reporter))
        except UsageError as error:
            raise UsageError(
                error.message,
                hint=f"{error.hint}; or a family: {', '.join(family_names())}",
            ) from error
    for name in varied:
        if name not in source.parameters:
            known = ", ".join(source.parameters)
            raise UsageError(
                f"{argument} has no parameter {name!r}",
                hint=f"it has: {known}"
                if known
                else "of a fixed model only options of a target "
                f"can be varied (--vary backend.option=...); families: {', '.join(family_names())}",
            )
    return source


def _function(path: Path, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"npubench_builder_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise UsageError(f"{path} has no function {name!r}")
    made: Callable[..., Any] = function
    return made


def _title(name: str, values: Mapping[str, Value]) -> str:
    return "-".join((name, *(f"{axis}{value}" for axis, value in values.items())))


def _kept(name: str, data: bytes, values: Mapping[str, Value]) -> ResolvedModel:
    """The network as a file in the cache, by content."""
    folder = cache_root() / "sweep" / hashlib.sha256(data).hexdigest()[:16]
    path = folder / f"{_title(name, values)}.tflite"
    if not path.is_file() or path.read_bytes() != data:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(data)
        fresh.replace(path)
    return ResolvedModel(id=name, path=path, entry=None)

"""Keras files and SavedModels to float .tflite files, with what the source itself answers.

Runs in TensorFlow's own process (``jobs``). Every axis is fixed: batch 1, others as asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npubench.compiler.quantize.keras import LOAD_HINT, _first_line, _quiet, import_tensorflow
from npubench.compiler.quantize.probes import probe_inputs, save_reference
from npubench.core.errors import CompileError, UsageError

Infer = Callable[..., list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A source network: its inputs (name, shape with None for free axes, dtype name), and a
    function from them, in this order, to the outputs. ``holder`` keeps its variables alive."""

    inputs: tuple[tuple[str, tuple[int | None, ...], str], ...]
    infer: Infer
    holder: Any
    details: Mapping[str, Any]


def float_network(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    trust: bool,
    bounds: tuple[float, float],
    reference: Path,
) -> tuple[bytes, dict[str, Any]]:
    """The float .tflite of a Keras file or SavedModel folder, and details for the record.

    Its inputs and outputs have the source's order; ``reference`` gets both for a few generated
    inputs within ``bounds``. Raises UsageError (cannot be loaded, an axis is not fixed) and
    CompileError (an operator that TFLite does not have).
    """
    tensorflow = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    loaded = _loaded(tensorflow, path, trust=trust)
    fixed = [
        (name, _fixed(name, shape, shapes, path), dtype) for name, shape, dtype in loaded.inputs
    ]
    unknown = sorted(set(shapes) - {name for name, _, _ in fixed})
    if unknown:
        raise UsageError(
            f"{path} has no input {unknown[0]!r}",
            hint=f"its inputs: {', '.join(name for name, _, _ in fixed)}",
        )
    names = [re.sub(r"\W", "_", name) for name, _, _ in fixed]
    specs = [
        tensorflow.TensorSpec(shape, dtype, name=name)
        for name, (_, shape, dtype) in zip(names, fixed, strict=True)
    ]

    outputs = tensorflow.function(lambda *values: loaded.infer(*values), input_signature=specs)
    inputs = probe_inputs([(shape, dtype) for _, shape, dtype in fixed], bounds)
    with _quiet():
        try:
            # Variables are frozen first: the converter's own way leaves Keras 3's as resources.
            frozen = convert_variables_to_constants_v2(outputs.get_concrete_function())
            answers = [outputs(*map(tensorflow.constant, values)) for values in inputs]
            converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen])
            data = bytes(converter.convert())
        except Exception as error:  # the converter has no common base for what it raises
            raise _explained(error, tensorflow.__version__) from error
    save_reference(
        reference,
        names,
        inputs,
        [[np.asarray(value) for value in answer] for answer in answers],
    )
    return data, dict(loaded.details)


def _loaded(tensorflow: Any, path: Path, *, trust: bool) -> Loaded:
    if path.is_dir():
        return _saved_model(tensorflow, path)
    try:
        model = tensorflow.keras.models.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:  # Keras has no common base for what a bad file raises
        raise _unloadable(path, error) from error
    if not model.inputs or not model.outputs:
        raise UsageError(
            f"{path} is a subclassed Keras model: its inputs are not known",
            hint="export it with model.export('folder') and give the folder",
        )
    count = len(model.inputs)

    def infer(*values: Any) -> list[Any]:
        given = list(values) if count > 1 else values[0]
        return list(tensorflow.nest.flatten(model(given, training=False)))

    return Loaded(
        inputs=tuple(
            (tensor.name, tuple(tensor.shape), tensorflow.as_dtype(tensor.dtype).name)
            for tensor in model.inputs
        ),
        infer=infer,
        holder=model,
        details={"framework": f"Keras {tensorflow.keras.__version__}"},
    )


def _saved_model(tensorflow: Any, path: Path) -> Loaded:
    try:
        loaded = tensorflow.saved_model.load(str(path))
    except Exception as error:  # TensorFlow has no common base for what a bad folder raises
        raise UsageError(
            f"TensorFlow cannot load {path}: {_first_line(error)}", hint=LOAD_HINT
        ) from error
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise UsageError(
            f"{path} has no signature 'serving_default', "
            f"but {sorted(loaded.signatures) or 'none at all'}",
            hint="export it with model.export('folder')",
        )
    keywords = signature.structured_input_signature[1]
    names = list(keywords)

    def infer(*values: Any) -> list[Any]:
        answer = signature(**dict(zip(names, values, strict=True)))
        return [answer[name] for name in sorted(answer)]

    return Loaded(
        inputs=tuple((name, tuple(spec.shape), spec.dtype.name) for name, spec in keywords.items()),
        infer=infer,
        holder=loaded,
        details={"framework": "SavedModel"},
    )


def _fixed(
    name: str,
    shape: tuple[int | None, ...],
    shapes: Mapping[str, tuple[int, ...]],
    path: Path,
) -> tuple[int, ...]:
    """The input's shape with every axis known: a free batch is 1, others must have been said."""
    said = shapes.get(name)
    if said is not None:
        fits = len(said) == len(shape) and all(
            have in (None, want) for have, want in zip(shape, said, strict=True)
        )
        if not fits:
            raise UsageError(
                f"input {name} of {path} is {_text(shape)}, which {_text(said)} does not fit",
                hint=f"--shape {name}=" + ",".join(str(axis or 1) for axis in shape),
            )
        return said
    found = [1 if position == 0 and axis is None else axis for position, axis in enumerate(shape)]
    if None in found:
        raise UsageError(
            f"input {name} of {path} has free axes: {_text(shape)}",
            hint=f"say them: --shape {name}=" + ",".join(str(axis or "?") for axis in found),
        )
    return tuple(int(axis) for axis in found if axis is not None)


def _text(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if axis is None else str(axis) for axis in shape) or "a scalar"


def _unloadable(path: Path, error: Exception) -> UsageError:
    text = str(error)
    if "Lambda" in text or "unsafe" in text.lower():
        return UsageError(
            f"{path} holds a Lambda layer, which is code that loading would run",
            hint="put the operation into the model itself; --trust loads it all the same",
        )
    if "No model config" in text or ("weights" in text and "only" in text):
        return UsageError(
            f"{path} holds weights alone, no network",
            hint="save the whole model: model.save('name.keras')",
        )
    return UsageError(f"Keras cannot load {path}: {_first_line(error)}", hint=LOAD_HINT)


def _explained(error: Exception, version: str) -> CompileError:
    """A converter's crash in a sentence: which operators, which version."""
    text = str(error)
    operators = sorted(set(re.findall(r"\btf\.([A-Z]\w+)", text)))
    if operators:
        return CompileError(
            f"TensorFlow {version} has no TFLite form for {', '.join(operators[:5])}",
            hint="replace these operators in the model; control flow and custom operators do not "
            "run on a microcontroller",
        )
    return CompileError(
        f"TensorFlow {version} cannot convert the model: {_first_line(error)}",
        hint="only what TFLite has operators for can be converted",
    )

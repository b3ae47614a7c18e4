"""Float models to full-integer .tflite files: post-training quantization through TensorFlow.

TensorFlow is an extra (``npubench[train]``) and runs in this process; ``saved.py`` takes a user's
file and runs it in a process of its own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.quantize.samples import Samples
from npubench.core.errors import CompileError, ConfigError, ToolMissing, UsageError

EXTRA_HINT = "install TensorFlow, which only quantization needs: pip install 'npubench[train]'"
BORDER_HINT = "export a functional model, whose inputs and outputs are tensors"
NAMES_HINT = "numpy.savez('samples.npz', name=array, ...): an array for each input, by its name"
LOAD_HINT = "save it again with the TensorFlow version that is installed here"


class KerasModel(Protocol):
    """What is used of a Keras model: its inputs and outputs (None before a subclassed model
    has been called), and a call."""

    inputs: list[Any] | None
    outputs: list[Any] | None

    def __call__(self, inputs: Any, *, training: bool) -> Any: ...


def import_tensorflow() -> Any:
    """The tensorflow module. Raises ToolMissing, naming the extra to install."""
    try:
        import tensorflow
    except ImportError as error:
        raise ToolMissing(f"TensorFlow cannot be imported: {error}", hint=EXTRA_HINT) from error
    return tensorflow


def quantize_keras(
    model: KerasModel,
    representative: NDArray[np.float32] | Samples,
    *,
    batch: int | None = 1,
    per_channel_dense: bool = False,
) -> bytes:
    """Quantize a Keras model to a full-integer .tflite: int8 in and out, inputs in their order.

    ``representative`` is (samples, ...) in the model's input units, of several inputs by their
    names (``Samples``); its ranges become the activations' scales. Convolutions are per channel,
    dense layers per tensor unless ``per_channel_dense``. With ``batch=None`` the converter leaves
    the batch size free and keeps reshapes that a fixed one lets it fold away. Raises CompileError
    when TensorFlow cannot do it, ConfigError when model and samples do not match.
    """
    import_tensorflow()
    inputs, outputs = list(model.inputs or ()), list(model.outputs or ())
    if not inputs or not outputs:
        raise ConfigError(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs", hint=BORDER_HINT
        )
    names = [str(getattr(item, "name", "")) for item in inputs]
    chosen = _in_order(names, representative)
    shapes = [
        _checked_shape(tuple(item.shape)[1:], samples)
        for item, samples in zip(inputs, chosen, strict=True)
    ]

    def infer(*values: Any) -> Any:
        return model(values[0] if len(values) == 1 else list(values), training=False)

    return _convert(infer, names, shapes, chosen, batch, per_channel_dense)


def quantize_file(
    path: Path, representative: NDArray[np.float32] | Samples, *, per_channel_dense: bool = False
) -> bytes:
    """Quantize a Keras file (.keras, .h5) or a SavedModel folder in this process.

    Raises UsageError when it is neither or cannot be loaded, and as ``quantize_keras``.
    """
    tensorflow = import_tensorflow()
    if (path / "saved_model.pb").is_file():
        return _quantize_saved_model(tensorflow, path, representative, per_channel_dense)
    if path.suffix not in (".keras", ".h5", ".hdf5") or not path.is_file():
        raise UsageError(
            f"{path} is no Keras file (.keras, .h5) and no SavedModel folder",
            hint="save the float model with model.save('name.keras') or model.export('folder')",
        )
    try:
        model = tensorflow.keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras has no common base for what a bad file raises
        raise UsageError(
            f"Keras cannot load {path}: {_first_line(error)}", hint=LOAD_HINT
        ) from error
    return quantize_keras(model, representative, per_channel_dense=per_channel_dense)


def _quantize_saved_model(
    tensorflow: Any,
    path: Path,
    representative: NDArray[np.float32] | Samples,
    per_channel_dense: bool,
) -> bytes:
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
    inputs = signature.structured_input_signature[1]
    if not inputs or not signature.structured_outputs:
        raise ConfigError(
            f"{path} has {len(inputs)} inputs and {len(signature.structured_outputs)} outputs",
            hint=BORDER_HINT,
        )
    names = list(inputs)
    chosen = _in_order(names, representative)
    shapes = [
        _checked_shape(tuple(spec.shape)[1:], samples)
        for spec, samples in zip(inputs.values(), chosen, strict=True)
    ]

    def infer(*values: Any) -> Any:
        found = tuple(signature(**dict(zip(names, values, strict=True))).values())
        return found[0] if len(found) == 1 else found

    return _convert(infer, names, shapes, chosen, 1, per_channel_dense)


def _in_order(
    names: Sequence[str], representative: NDArray[np.float32] | Samples
) -> list[NDArray[np.float32]]:
    """The samples of every input, in the model's order. Raises ConfigError."""
    if not isinstance(representative, Mapping):
        representative = {"": representative}
    if len(names) == 1 and len(representative) == 1:
        return list(representative.values())
    if set(names) == set(representative):
        return [representative[name] for name in names]
    positions = [f"arr_{index}" for index in range(len(names))]
    if set(positions) == set(representative):  # numpy.savez without names
        return [representative[name] for name in positions]
    found = ", ".join(name or "one array without a name" for name in representative)
    raise ConfigError(
        f"the model's inputs are {', '.join(names)}, the samples are of {found}", hint=NAMES_HINT
    )


def _convert(
    infer: Callable[..., Any],
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    representative: Sequence[NDArray[np.float32]],
    batch: int | None,
    per_channel_dense: bool,
) -> bytes:
    """Freeze ``infer`` for inputs of (batch, *shape) and convert it.

    Variables are frozen first: the converter's own way leaves Keras 3's variables as resources.
    """
    tensorflow = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    specs = [
        tensorflow.TensorSpec(
            (batch, *shape), tensorflow.float32, name="input" if len(names) == 1 else name
        )
        for name, shape in zip(names, shapes, strict=True)
    ]

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for together in zip(*representative, strict=True):
            yield [sample[np.newaxis] for sample in together]

    try:
        with _quiet():
            concrete = tensorflow.function(infer, input_signature=specs).get_concrete_function()
            frozen = convert_variables_to_constants_v2(concrete)
            converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([frozen])
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.representative_dataset = samples
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tensorflow.int8
            converter.inference_output_type = tensorflow.int8
            converter._experimental_disable_per_channel_quantization_for_dense_layers = (
                not per_channel_dense
            )
            return bytes(converter.convert())
    except Exception as error:  # the converter has no common base for what it raises
        raise CompileError(
            f"TensorFlow cannot quantize the model: {_first_line(error)}",
            hint="only operators with an int8 form of TFLite can be quantized",
        ) from error


def _checked_shape(
    wanted: tuple[int | None, ...], representative: NDArray[np.float32]
) -> tuple[int, ...]:
    """The input's shape without batch; free axes are taken from the samples."""
    given = representative.shape[1:]
    matches = len(given) == len(wanted) and all(
        want in (None, have) for want, have in zip(wanted, given, strict=True)
    )
    if not matches or len(representative) == 0:
        raise ConfigError(
            f"the model's input is {_shape_text(wanted)}, "
            f"but the {len(representative)} samples are {_shape_text(given)}",
            hint="representative samples need the model's input shape after the first axis",
        )
    return tuple(int(axis) for axis in given)


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if axis is None else str(axis) for axis in shape) or "a scalar"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


class _quiet:
    """Keeps the converter's advice to programmers from users: Python warnings and absl's log."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._level = logging.getLogger("absl").level
        logging.getLogger("absl").setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("absl").setLevel(self._level)
        self._warnings.__exit__(None, None, None)

"""Float models to full-integer .tflite files: post-training quantization through TensorFlow.

TensorFlow is an extra (``npubench[train]``) and runs in this process; ``saved.py`` takes a user's
file and runs it in a process of its own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import CompileError, ConfigError, ToolMissing, UsageError

EXTRA_HINT = "install TensorFlow, which only quantization needs: pip install 'npubench[train]'"
SINGLE_HINT = "export a functional model from one input tensor to one output tensor"
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
    representative: NDArray[np.float32],
    *,
    batch: int | None = 1,
    per_channel_dense: bool = False,
) -> bytes:
    """Quantize a Keras model with one input to a full-integer .tflite: int8 in and out.

    ``representative`` is (samples, ...) in the model's input units; its ranges become the
    activations' scales. Convolutions are per channel, dense layers per tensor unless
    ``per_channel_dense``. With ``batch=None`` the converter leaves the batch size free and keeps
    reshapes that a fixed one lets it fold away. Raises CompileError when TensorFlow cannot do it,
    ConfigError when model and samples do not match.
    """
    import_tensorflow()
    inputs, outputs = list(model.inputs or ()), list(model.outputs or ())
    if len(inputs) != 1 or len(outputs) != 1:
        raise ConfigError(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs, "
            "exactly one of each can be quantized",
            hint=SINGLE_HINT,
        )
    shape = _checked_shape(tuple(inputs[0].shape)[1:], representative)

    def infer(values: Any) -> Any:
        return model(values, training=False)

    return _convert(infer, shape, representative, batch, per_channel_dense)


def quantize_file(
    path: Path, representative: NDArray[np.float32], *, per_channel_dense: bool = False
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
    tensorflow: Any, path: Path, representative: NDArray[np.float32], per_channel_dense: bool
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
    if len(inputs) != 1 or len(signature.structured_outputs) != 1:
        raise ConfigError(
            f"{path} has {len(inputs)} inputs and {len(signature.structured_outputs)} outputs, "
            "exactly one of each can be quantized",
            hint=SINGLE_HINT,
        )
    ((keyword, spec),) = inputs.items()
    shape = _checked_shape(tuple(spec.shape)[1:], representative)

    def infer(values: Any) -> Any:
        return next(iter(signature(**{keyword: values}).values()))

    return _convert(infer, shape, representative, 1, per_channel_dense)


def _convert(
    infer: Callable[[Any], Any],
    shape: tuple[int, ...],
    representative: NDArray[np.float32],
    batch: int | None,
    per_channel_dense: bool,
) -> bytes:
    """Freeze ``infer`` for one input of (batch, *shape) and convert it.

    Variables are frozen first: the converter's own way leaves Keras 3's variables as resources.
    """
    tensorflow = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    spec = tensorflow.TensorSpec((batch, *shape), tensorflow.float32, name="input")

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for sample in representative:
            yield [sample[np.newaxis]]

    try:
        with _quiet():
            concrete = tensorflow.function(infer, input_signature=[spec]).get_concrete_function()
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

"""PyTorch to a float .tflite: runs in the environment `torch`, knows nothing of npubench.

``torch_to_litert.py JOB ANSWER``: JOB is a JSON file with ``model``, ``member``, ``weights``,
``shapes``, ``range``, ``trust``, ``out`` and ``reference``; ANSWER gets what came of it.
"""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from refusal import Refused, answer_job, first_line  # type: ignore[import-not-found]

PROBES, SEED = 3, 20261127  # as npubench makes its own


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Load, fix the shapes, run the probes, convert."""
    torch.manual_seed(0)
    path = Path(job["model"])
    read: set[str] = set()
    _watch(path, read)
    module, examples, names = _module(path, job)
    details: dict[str, Any] = {"framework": f"PyTorch {torch.__version__}"}
    shapes = _shapes(module, examples, names, job["shapes"], path)
    names = names or [f"input_{index}" for index in range(len(shapes))]
    random = np.random.RandomState(SEED)
    low, high = job["range"]
    probes = []
    for _ in range(PROBES):
        sample = []
        for shape, dtype in shapes:
            if dtype.is_floating_point:
                sample.append(random.uniform(low, high, size=shape).astype("float32"))
            else:
                sample.append(random.randint(0, 2, size=shape).astype(_numpy(dtype)))
        probes.append(sample)
    try:
        with torch.no_grad():
            answers = [
                _flat(module(*[torch.from_numpy(value) for value in sample])) for sample in probes
            ]
    except Exception as error:
        raise Refused(
            "UsageError",
            f"{path.name} does not run on inputs of "
            f"{'; '.join('x'.join(map(str, shape)) for shape, _ in shapes)}: {first_line(error)}",
            "give the shapes that forward() takes: --shape NAME=1,3,32,32",
        ) from error
    data, last = _converted(module, probes[0], answers[0], path)
    Path(job["out"]).write_bytes(data)
    arrays = {
        f"in:{re.sub(chr(92) + 'W', '_', name)}": np.stack([sample[index] for sample in probes])
        for index, name in enumerate(names)
    }
    arrays |= {
        f"out:{index}": np.stack([answer[index] for answer in answers])
        for index in range(len(answers[0]))
    }
    np.savez(job["reference"], **arrays)  # type: ignore[arg-type]
    import importlib.metadata

    details["channels_last_inputs"] = last
    details["parameters"] = int(sum(value.numel() for value in module.parameters()))
    return {
        "version": importlib.metadata.version("litert-torch"),
        "details": details,
        "read": sorted(read - {str(path.resolve())}),
    }


def _watch(path: Path, read: set[str]) -> None:
    """Note every file below the model's folder that is opened for reading: it belongs to it."""
    folder = path.resolve().parent

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        mode = arguments[1]
        if isinstance(mode, str) and any(letter in mode for letter in "wax+"):
            return
        try:
            found = Path(arguments[0] if isinstance(arguments[0], str) else arguments[0].decode())
            found = found if found.is_absolute() else Path.cwd() / found
            inside = str(found).startswith(f"{folder}/") and "__pycache__" not in found.parts
        except (ValueError, OSError):
            return
        if inside:
            read.add(str(found))

    sys.addaudithook(hook)


def _module(path: Path, job: dict[str, Any]) -> tuple[Any, list[Any] | None, list[str]]:
    """The network in evaluation mode, its example inputs where it brings some, input names."""
    if job["member"]:
        return _from_python(path, job)
    if path.suffix == ".pt2":
        try:
            program = torch.export.load(path)
        except Exception as error:
            raise Refused(
                "UsageError",
                f"PyTorch {torch.__version__} cannot load {path.name}: {first_line(error)}",
                "export it again with this version: torch.export.save(program, 'name.pt2')",
            ) from error
        arguments, keywords = program.example_inputs or ((), {})
        if keywords:
            raise Refused(
                "UsageError",
                f"{path.name} was exported with keyword inputs {sorted(keywords)}",
                "export it with positional inputs",
            )
        names = list(program.graph_signature.user_inputs)
        return _as_exported(program), list(arguments), [str(name) for name in names]
    return _from_pickle(path, job)


def _as_exported(program: Any) -> Any:
    """The module of an exported program, which refuses train() and eval(): it is as it was when it
    was exported, and whoever asks for evaluation mode is told that it is in it."""
    module = program.module()
    module.train = lambda *_: module
    module.eval = lambda: module
    return module


def _from_python(path: Path, job: dict[str, Any]) -> tuple[Any, list[Any] | None, list[str]]:
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    space = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = space
    try:
        spec.loader.exec_module(space)
        found = getattr(space, job["member"])
        module = found if isinstance(found, torch.nn.Module) else found()
    except AttributeError as error:
        classes = [
            name for name, value in vars(space).items()
            if isinstance(value, type) and issubclass(value, torch.nn.Module)
        ]  # fmt: skip
        raise Refused(
            "UsageError",
            f"{path.name} has no {job['member']!r} that can be made: {first_line(error)}",
            f"its modules: {', '.join(classes) or 'none'}",
        ) from error
    except Exception as error:
        raise Refused(
            "UsageError",
            f"{path.name}:{job['member']} cannot be made: {type(error).__name__}: "
            f"{first_line(error)}",
            "a class is called without arguments; a function may give the module as it should be",
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise Refused(
            "UsageError",
            f"{path.name}:{job['member']} is a {type(module).__name__}, not a torch.nn.Module",
            "name a class, an instance, or a function that returns one",
        )
    if job["weights"]:
        _load_weights(module, Path(job["weights"]))
    module.eval()
    names = list(inspect.signature(module.forward).parameters)
    examples = getattr(space, "example_inputs", None)
    if callable(examples):
        examples = examples()
    return module, None if examples is None else list(examples), names


def _load_weights(module: Any, path: Path) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state)
    except (pickle.UnpicklingError, RuntimeError, OSError, AttributeError) as error:
        raise Refused(
            "UsageError",
            f"the weights {path.name} do not fit: {first_line(error)}",
            "save them with torch.save(model.state_dict(), 'weights.pt') from this very class",
        ) from error


def _from_pickle(path: Path, job: dict[str, Any]) -> tuple[Any, list[Any] | None, list[str]]:
    """A .pt or .pth: weights alone at first; a pickle that would run code only when trusted."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any("/code/" in name for name in archive.namelist()):
                raise Refused(
                    "UsageError",
                    f"{path.name} is a TorchScript file, which cannot be converted",
                    "give its class (module.py:Model), or torch.export it to a .pt2",
                )
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not job["trust"]:
            raise Refused(
                "UsageError",
                f"{path.name} is a pickle that would run code when it is loaded",
                "torch.export it to a .pt2, or give module.py:Model with --weights; --trust loads "
                "it all the same",
            ) from error
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=False)
        except Exception as failure:
            raise Refused(
                "UsageError",
                f"{path.name} cannot be loaded: {first_line(failure)}",
                "it needs the classes that it was saved with; torch.export it to a .pt2",
            ) from failure
    except Exception as error:
        raise Refused(
            "UsageError", f"{path.name} is no PyTorch file: {first_line(error)}", "is it complete?"
        ) from error
    if not isinstance(loaded, torch.nn.Module):
        raise Refused(
            "UsageError",
            f"{path.name} holds weights alone, no network",
            "name the class as well: module.py:Model --weights " + path.name,
        )
    loaded.eval()
    return loaded, None, list(inspect.signature(loaded.forward).parameters)


def _shapes(
    module: Any,
    examples: list[Any] | None,
    names: list[str],
    said: dict[str, list[int]],
    path: Path,
) -> list[tuple[tuple[int, ...], torch.dtype]]:
    unknown = [name for name in said if name not in names]
    if unknown:
        raise Refused(
            "UsageError",
            f"{path.name} has no input {unknown[0]!r}",
            f"its inputs: {', '.join(names)}",
        )
    if examples is not None:
        found = [(tuple(value.shape), value.dtype) for value in examples]
        return [
            (tuple(said.get(name, shape)), dtype)
            for name, (shape, dtype) in zip(names or [""] * len(found), found, strict=False)
        ]
    required = [
        name for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]  # fmt: skip
    missing = [name for name in required if name not in said]
    if missing:
        raise Refused(
            "UsageError",
            f"{path.name} does not say the shape of input {missing[0]!r}",
            f"say it: --shape {missing[0]}=1,3,32,32 (or a function example_inputs() in the file)",
        )
    return [(tuple(said[name]), torch.float32) for name in names if name in said]


def _flat(value: Any) -> list[Any]:
    import torch.utils._pytree as pytree

    return [leaf.detach().numpy() for leaf in pytree.tree_leaves(value) if leaf is not None]


def _converted(module: Any, sample: list[Any], answer: list[Any], path: Path) -> tuple[bytes, bool]:
    """The float .tflite, its images and feature maps with channels last at the boundary."""
    import litert_torch

    inputs = [index for index, value in enumerate(sample) if value.ndim == 4]
    outputs = [index for index, value in enumerate(answer) if value.ndim == 4]
    tensors = [torch.from_numpy(value) for value in sample]
    wrapped = module
    if inputs or outputs:
        wrapped = litert_torch.to_channel_last_io(
            module, args=inputs or None, outputs=outputs or None
        )
        tensors = [
            value.permute(0, 2, 3, 1).contiguous() if index in inputs else value
            for index, value in enumerate(tensors)
        ]
    try:
        edge = litert_torch.convert(wrapped.eval(), tuple(tensors))
        scratch = Path.cwd() / "converted.tflite"
        edge.export(str(scratch))
        return scratch.read_bytes(), bool(inputs)
    except Exception as error:
        text = str(error)
        operators = sorted(set(re.findall(r"\b(?:aten|torch\.ops\.\w+)[.:]+(\w+)", text)))
        control = "data-dependent" in text or "dynamic control flow" in text or "GuardOn" in text
        what = (
            "it branches on its data (control flow)" if control
            else f"operators {', '.join(operators[:4])}" if operators
            else first_line(error)
        )  # fmt: skip
        raise Refused(
            "CompileError",
            f"litert-torch cannot convert {path.name} (PyTorch {torch.__version__}): {what}",
            "replace these parts in the model; the converter's own words are in its log",
        ) from error


def _numpy(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    answer_job(main)

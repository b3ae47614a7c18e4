"""The wiring of a network that an interpreter of the user's own reads as it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from npubench.compiler.emit.context import Blob, Model
from npubench.compiler.emit.names import identifier
from npubench.compiler.emit.render import render
from npubench.compiler.emit.wiring import WEIGHTS_FILE
from npubench.compiler.graph import Graph
from npubench.compiler.plan import EngineTree, Interpreter, Plan
from npubench.core.errors import CompileError

ENGINE_FILE = "engine.json"
ENGINE_FOLDER = "src/engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpan:
    """A tensor of the file with its bytes, and where they stand in the caller's buffer."""

    tensor: int
    size_bytes: int
    offset_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreted:
    """All of nb_model.cc."""

    model: str
    methods: tuple[str, ...]
    variables: int
    op_outputs: tuple[TensorSpan, ...]
    inputs: tuple[TensorSpan, ...]
    outputs: tuple[TensorSpan, ...]


def interpreted_files(graph: Graph, plan: Plan, interpreter: Interpreter) -> dict[str, bytes]:
    """nb_model.cc, and the file itself as the only constant."""
    constant = next(item for item in plan.constants if item.name == interpreter.model)
    blob = Blob(
        name=identifier(constant.name),
        ctype=constant.ctype,
        count=len(constant.data),
        align=constant.align,
        offset_bytes=0,
        size_bytes=len(constant.data),
    )
    weights = Model(
        blobs=(blob,),
        params=(),
        calls=(),
        op_outputs=(),
        inputs=(),
        outputs=(),
        uses_npu=False,
        npu_load=False,
        weights_file=WEIGHTS_FILE,
    )
    context = Interpreted(
        model=identifier(interpreter.model),
        methods=tuple(identifier(method) for method in interpreter.methods),
        variables=interpreter.variables,
        op_outputs=tuple(
            TensorSpan(
                tensor=op.outputs[0] if op.outputs else -1,
                size_bytes=graph.tensor(op.outputs[0]).size_bytes if op.outputs else 0,
            )
            for op in graph.ops
        ),
        inputs=_spans(graph, graph.inputs),
        outputs=_spans(graph, graph.outputs),
    )
    return {
        "src/model/nb_model.cc": render("nb_model_tflm.cc.j2", context),
        "src/model/nb_weights.S": render("nb_weights.S.j2", weights),
        WEIGHTS_FILE: constant.data,
    }


def engine_files(engine: EngineTree) -> dict[str, bytes]:
    """The user's sources, and how the builder takes them."""
    folders = [path for scope in engine.scopes for path in scope.includes]
    for path in (*engine.files, *folders):
        if path.startswith("/") or ".." in path.split("/"):
            raise CompileError(f"{engine.name} may not bring {path!r}")
    document = {
        "name": engine.name,
        "version": engine.version,
        "scopes": [asdict(scope) for scope in engine.scopes],
    }
    files = {f"{ENGINE_FOLDER}/{path}": data for path, data in engine.files.items()}
    return files | {ENGINE_FILE: (json.dumps(document, indent=2) + "\n").encode()}


def _spans(graph: Graph, tensors: tuple[int, ...]) -> tuple[TensorSpan, ...]:
    spans: list[TensorSpan] = []
    offset = 0
    for index in tensors:
        size = graph.tensor(index).size_bytes
        spans.append(TensorSpan(tensor=index, size_bytes=size, offset_bytes=offset))
        offset += size
    return tuple(spans)

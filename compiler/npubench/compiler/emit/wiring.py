"""The network as C: constants, parameters and calls, from a Plan."""

from __future__ import annotations

from dataclasses import replace

from npubench.compiler.emit.context import Blob, Call, Field, Model, Params, Span, State
from npubench.compiler.emit.names import c_integer, ctype, file_name, identifier
from npubench.compiler.graph import DType, Graph
from npubench.compiler.plan import (
    Alias,
    Arg,
    Constant,
    ConstantArg,
    EngineOp,
    Free,
    KernelCall,
    NpuJob,
    ParamValue,
    Plan,
    ScratchArg,
    Step,
    TensorArg,
)
from npubench.core.errors import CompileError

WEIGHTS_FILE = "src/model/nb_weights.bin"
_ELEMENT_BYTES = {
    "int8_t": 1,
    "uint8_t": 1,
    "int16_t": 2,
    "uint16_t": 2,
    "int32_t": 4,
    "uint32_t": 4,
    "float": 4,
    "int64_t": 8,
    "uint64_t": 8,
}
_TENSOR_CTYPE = {
    DType.INT8: "int8_t",
    DType.UINT8: "uint8_t",
    DType.BOOL: "uint8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.INT64: "int64_t",
    DType.FLOAT32: "float",
}


def model_of(graph: Graph, plan: Plan) -> tuple[Model, bytes]:
    """The context of nb_model.c and nb_weights.S, and the bytes of all constants in one file.

    Raises CompileError when the plan contradicts itself (a backend's mistake).
    """
    return _Wiring(graph, plan).model()


class _Wiring:
    """One pass over a plan."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self._graph = graph
        self._plan = plan
        self._places = {place.tensor: place for place in plan.arena.places}
        self._sources = {
            step.target_tensor: step.source_tensor for step in plan.steps if isinstance(step, Alias)
        }
        self._constants: dict[str, Constant] = {item.name: item for item in plan.constants}

    def model(self) -> tuple[Model, bytes]:
        params: list[Params] = []
        calls: list[Call] = []
        self._check_order()
        turns = {place: turn for turn, place in self._plan.turns.items()}
        for position, step in enumerate(self._plan.steps):
            call = self._call(position, step, params)
            if call is not None:
                calls.append(replace(call, case=turns[call.case]))
        if len({call.case for call in calls}) != len(calls):
            raise CompileError(f"backend {self._plan.backend} runs an operator twice")
        op_outputs = tuple(self._turn_output(index) for index in range(len(self._graph.ops)))
        inputs = self._spans(self._graph.inputs)
        outputs = self._spans(self._graph.outputs)
        state = self._state()
        blobs, data = self._blobs()
        model = Model(
            blobs=blobs,
            params=tuple(params),
            calls=tuple(calls),
            op_outputs=op_outputs,
            inputs=inputs,
            outputs=outputs,
            uses_npu=any(isinstance(step, NpuJob) for step in self._plan.steps),
            npu_load=self._plan.npu_load,
            weights_file=WEIGHTS_FILE,
            state=state,
            flavours=tuple(
                sorted(
                    {
                        file_name(step.flavour)
                        for step in self._plan.steps
                        if isinstance(step, KernelCall) and step.flavour is not None
                    }
                )
            ),
        )
        return model, data

    def _check_order(self) -> None:
        """Only an NPU's compiler may change the operators' order."""
        if any(isinstance(step, NpuJob) for step in self._plan.steps):
            return
        last = -1
        for step in self._plan.steps:
            if isinstance(step, KernelCall):
                if step.op_index <= last:
                    raise CompileError(
                        f"backend {self._plan.backend} runs operator {step.op_index} after {last}"
                    )
                last = step.op_index

    def _call(self, position: int, step: Step, params: list[Params]) -> Call | None:
        if isinstance(step, Alias | Free | EngineOp):
            return None
        if isinstance(step, NpuJob):
            first, last = min(step.op_indices), max(step.op_indices)
            return Call(
                case=step.place,
                comment=f"{first} to {last}: NPU job {step.job}",
                text=f"nb_npu_run({c_integer(step.job)}u)",
                checked=True,
            )
        name = f"nb_p{len(params)}"
        params.append(
            Params(
                name=name,
                ctype=identifier(step.params_type),
                section=f".rodata.nb_params.{len(params)}",
                fields=tuple(
                    Field(name=identifier(field), value=_value(value))
                    for field, value in step.params
                ),
            )
        )
        args = ", ".join((f"&{name}", *(self._arg(position, step, arg) for arg in step.args)))
        kind = self._graph.ops[step.op_index].kind
        return Call(
            case=step.op_index,
            comment=f"{step.op_index}: {identifier(kind)}",
            text=f"{identifier(step.kernel)}({args})",
            checked=False,
        )

    def _arg(self, position: int, step: KernelCall, arg: Arg) -> str:
        if isinstance(arg, ConstantArg):
            if arg.constant is None:
                return "NULL"
            if arg.constant not in self._constants:
                raise CompileError(f"operator {step.op_index} names no constant {arg.constant!r}")
            return identifier(arg.constant)
        if isinstance(arg, ScratchArg):
            if step.scratch_bytes == 0:
                return "NULL"
            kind = "void" if arg.ctype == "void" else ctype(arg.ctype)
            return f"({kind} *)(nb_arena + {self._plan.arena.scratch_offset_bytes[position]})"
        qualifier = "const " if arg.const else ""
        return f"({qualifier}{ctype(arg.ctype)} *)({self._address(arg)})"

    def _address(self, arg: TensorArg) -> str:
        tensor = self._resolve(arg.tensor)
        if tensor in self._places:
            return f"nb_arena + {self._places[tensor].offset_bytes}"
        return self._constant_tensor(tensor)

    def _resolve(self, tensor: int) -> int:
        """The tensor itself when it has a place, else what it is an alias of."""
        seen = 0
        while tensor not in self._places and tensor in self._sources and seen < len(self._sources):
            tensor = self._sources[tensor]
            seen += 1
        return tensor

    def _constant_tensor(self, tensor: int) -> str:
        value = self._graph.tensor(tensor)
        if value.data is None:
            raise CompileError(
                f"backend {self._plan.backend} gives tensor {tensor} no place in the arena"
            )
        name = f"nb_t{tensor}"
        self._constants.setdefault(
            name, Constant(name=name, ctype=_TENSOR_CTYPE[value.dtype], data=value.data)
        )
        return name

    def _turn_output(self, turn: int) -> Span:
        """What can be seen after the firmware's ``turn``."""
        if self._plan.in_order:
            return self._op_output(turn)
        place = self._plan.turns.get(turn)
        return Span(source="nb_arena", size_bytes=0) if place is None else self._op_output(place)

    def _op_output(self, index: int) -> Span:
        outputs = self._graph.ops[index].outputs
        tensor = self._resolve(outputs[0]) if outputs else -1
        if tensor not in self._places or self._hidden(index):
            return Span(source="nb_arena", size_bytes=0)
        return Span(
            source="nb_arena",
            size_bytes=self._graph.tensor(outputs[0]).size_bytes,
            offset_bytes=self._places[tensor].offset_bytes,
        )

    def _hidden(self, index: int) -> bool:
        """Whether an operator's output cannot be seen in its turn: the job that computes it keeps
        it to itself, or runs later."""
        for step in self._plan.steps:
            if isinstance(step, NpuJob) and index in step.op_indices:
                seen = set(self._graph.ops[index].outputs) & set(step.outputs)
                return index < step.place or not seen
        return False

    def _spans(self, tensors: tuple[int, ...]) -> tuple[Span, ...]:
        spans: list[Span] = []
        offset = 0
        for index in tensors:
            size = self._graph.tensor(index).size_bytes
            tensor = self._resolve(index)
            source = (
                f"nb_arena + {self._places[tensor].offset_bytes}"
                if tensor in self._places
                else self._constant_tensor(tensor)
            )
            spans.append(Span(source=source, size_bytes=size, offset_bytes=offset))
            offset += size
        return tuple(spans)

    def _state(self) -> tuple[State, ...]:
        """What ``init`` puts into the variables."""
        states: list[State] = []
        for variable in self._graph.variables:
            first = variable.initial[:1]
            name = ""
            if variable.initial != first * len(variable.initial):
                name = f"nb_s{variable.tensor}"
                self._constants[name] = Constant(name=name, ctype="uint8_t", data=variable.initial)
            states.append(
                State(
                    target=f"nb_arena + {self._places[variable.tensor].offset_bytes}",
                    size_bytes=len(variable.initial),
                    fill=first[0],
                    source=name,
                )
            )
        return tuple(states)

    def _blobs(self) -> tuple[tuple[Blob, ...], bytes]:
        blobs: list[Blob] = []
        data = bytearray()
        for constant in self._constants.values():
            element = _ELEMENT_BYTES[ctype(constant.ctype)]
            if not constant.data or len(constant.data) % element:
                raise CompileError(
                    f"constant {constant.name} has {len(constant.data)} bytes of {constant.ctype}"
                )
            blobs.append(
                Blob(
                    name=identifier(constant.name),
                    ctype=constant.ctype,
                    count=len(constant.data) // element,
                    align=max(constant.align, element),
                    offset_bytes=len(data),
                    size_bytes=len(constant.data),
                )
            )
            data += constant.data
        return tuple(blobs), bytes(data)


def _value(value: ParamValue) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(c_integer(item) for item in value) + "}"
    return c_integer(value)

"""What a run is: the record that ``run.json`` holds and that ``--json`` prints.

A change of meaning raises ``SCHEMA_VERSION``; fields may be added within one. What a reader does
not know it keeps; what we write is described here (see `unknown_fields`). docs/results-format.md
and docs/schemas/run.schema.json follow from this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from npubench.core.evidence import Evidence
from npubench.core.format import printable
from npubench.runs.energy_record import EnergyRecord
from npubench.target import Place

SCHEMA_VERSION: Literal[2] = 2
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = int | float


Scalar = str | int | float | bool | None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class RangeRecord(_Record):
    """A value with its bounds, of a model: ``low`` <= ``mid`` <= ``high``. ``model`` names it.

    Of cycles: ``by_model``, the part's model's value, then one by each form of it that cannot be
    told from the best; ``ratio_pct``, how far the ratio of two values of one part was off at worst
    (of energy: per cycle). ``kind``: of energy, gross or net and of which supply; a ratio is formed
    only between equal ones.
    """

    low: Number
    mid: Number
    high: Number
    model: str = ""
    by_model: tuple[Number, ...] = ()
    ratio_pct: Number | None = None
    kind: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> RangeRecord:
        if not self.low <= self.mid <= self.high:
            raise ValueError(f"bounds are out of order: {self.low}, {self.mid}, {self.high}")
        return self


class FindingRecord(_Record):
    """What is said about the run's numbers: docs/findings.md has every id. ``text`` is as rendered
    when the run was made; ``where`` names the stage, layer or tensor, where it is about one."""

    id: str
    severity: Literal["remark", "warning", "refusal"]
    text: str
    values: dict[str, Scalar] = Field(default_factory=dict)
    where: str | None = None


class ImportStepRecord(_Record):
    """One step from the file as brought to what runs, oldest first."""

    tool: str
    version: str
    input_sha256: Sha256
    output_sha256: Sha256
    details: dict[str, Scalar] = Field(default_factory=dict)


class AccuracyRecord(_Record):
    """How well a network answers: one metric of one form of it on one data set.

    ``form``: the float network, the int8 one on the host, or the target itself. ``low`` and
    ``high`` are a 95 % interval by the method ``interval``, or None. ``agreement_ratio``: the share
    of samples to which the target gives TFLM's outputs bit by bit, or to which the int8 network
    gives the float one's class.
    """

    metric: str
    form: Literal["float", "int8", "target"]
    value: float
    samples: int
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    data: str
    data_sha256: Sha256 | None = None
    agreement_ratio: float | None = None


class ErrorRecord(_Record):
    """Why a run is not ``ok``: the error's class, what happened, what to do."""

    kind: str
    message: str
    hint: str = ""


class ModelRecord(_Record):
    """The network. ``network_sha256``: as brought; ``artifact_sha256``: what runs. ``macs``,
    ``parameters`` and ``ops`` are None where the file cannot be read as a network. ``macs`` are
    those of the network as brought, ``executed_macs`` those done where dead channels are left out.
    """

    name: str
    network_sha256: Sha256
    artifact_sha256: Sha256
    macs: int | None = None
    executed_macs: int | None = None
    parameters: int | None = None
    ops: int | None = None
    source: str


class SecondOpinionRecord(_Record):
    """Who is off where outputs differ: ``tflm``, our ``kernel``, the ``npu-compiler``, the ``npu``
    (its model or its compiler), nobody (``rounding``), or ``unknown``.

    ``operator`` and ``kind`` say where; ``error_steps``: how far ``board``, ``tflm`` and ``litert``
    are from the float truth there, at most, in steps of the output's scale.
    """

    who: Literal["tflm", "kernel", "npu-compiler", "npu", "rounding", "unknown"]
    operator: int | None = None
    kind: str | None = None
    text: str
    error_steps: dict[str, float | None] = Field(default_factory=dict)


class GoldenRecord(_Record):
    """Correctness. ``tensors``: how many were compared; ``mismatches``: how many of them differ.

    ``first_mismatch`` names the first differing tensor; ``elements_differ`` counts differing output
    elements, ``max_abs_diff`` is their largest difference in quantized steps. Where the board is
    proven right and TFLM wrong, it is a match by ``second-opinion``; the counts are still those of
    the comparison with TFLM. ``inferences``: how many ran in a row, from the first state on, before
    the compared one and with it; more than one where the network keeps state.
    """

    status: Literal["match", "mismatch", "unavailable"]
    reference: Literal["tflm", "portable", "vendor", "float", "second-opinion", "none"]
    tensors: int
    mismatches: int
    first_mismatch: str | None = None
    elements_differ: int | None = None
    max_abs_diff: int | None = None
    input_seed: int | None = None
    inferences: int = 1
    reason: str | None = None
    second_opinion: SecondOpinionRecord | None = None


class SchemeRecord(_Record):
    """How near the arithmetic of a vendor's NPU comes to its reference: TFLM where it takes the
    int8 network as it is, else the network on real numbers; ``int8_*``: how near the int8 network
    itself comes to real numbers, by TFLM.

    ``snr_db``: signal to noise of each output over all ``samples``, None where nothing differs;
    ``agreement_ratio``: the share with the same best class, None of what is no classifier;
    ``*_low_*``: what each is at least over all inputs, with ``confidence_ratio``. Fewer than 100
    ``samples``: a slow simulator, and the verdict was certain with these. Below a
    limit the run is failed; then ``layers_snr_db`` tells, by operator, what the network up to it
    gives, and ``worst_layer`` which operator adds most noise beside its signal.
    """

    samples: int
    distribution: str
    snr_db: tuple[float | None, ...]
    snr_low_db: tuple[float | None, ...] = ()
    agreement_ratio: float | None = None
    agreement_low_ratio: float | None = None
    confidence_ratio: float = 0.95
    int8_snr_db: tuple[float | None, ...] = ()
    int8_agreement_ratio: float | None = None
    snr_limit_db: float
    agreement_limit_ratio: float
    layers_snr_db: dict[str, float | None] = Field(default_factory=dict)
    worst_layer: int | None = None


class StageRecord(_Record):
    """One stage's summary. ``unit``: instructions, cycles, us or us_modelled.

    On an unavailable or inseparable stage the numbers are None and ``reason`` says why. ``low`` and
    ``high`` bound a modelled value; ``ci95_low``/``ci95_high`` are a within-session interval of the
    median; ``deterministic`` means that all repetitions gave one value. ``cycles``, ``time_us`` and
    ``energy_uj`` are a model's of the part, beside what was counted.
    """

    unit: Literal["instructions", "cycles", "us", "us_modelled"]
    evidence: Evidence
    median: Number | None = None
    min: Number | None = None
    max: Number | None = None
    n: int = 0
    mad: Number | None = None
    deterministic: bool | None = None
    ci95_low: Number | None = None
    ci95_high: Number | None = None
    outliers: int = 0
    low: Number | None = None
    high: Number | None = None
    cycles_median: Number | None = None
    cpu_instructions: int | None = None
    npu_cycles: int | None = None
    cycles: RangeRecord | None = None
    time_us: RangeRecord | None = None
    energy_uj: RangeRecord | None = None
    separable: bool = True
    reason: str | None = None


class NpuWorkRecord(_Record):
    """What an NPU's compiler made of one operator: ``operations`` of the NPU, the output ``block``
    (height, width, depth) of the first, bytes over each port, and whether a memory holds it up."""

    operations: int
    block: tuple[int, ...] = ()
    port_bytes: tuple[int, ...] = ()
    bound_by_memory: bool = False


class LayerRecord(_Record):
    """One operator of the network. ``unit`` as in stages; ``value`` is the median of its counts.

    ``low`` and ``high`` bound a modelled value; ``npu_cycles`` are those of the operator itself,
    also where only its job's time can be told, and so is ``npu_work``. ``choice``: why this kernel;
    ``predicted``: the instructions that its file's figures give; ``executed_macs`` as in the
    model's.
    """

    index: int
    op: str
    name: str
    engine: Literal["cpu", "npu", "none"] = "cpu"
    kernel: str = ""
    choice: str | None = None
    predicted: int | None = None
    macs: int
    executed_macs: int | None = None
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    unit: Literal["instructions", "cycles", "us_modelled"]
    evidence: Evidence
    value: Number | None = None
    low: Number | None = None
    high: Number | None = None
    cpu_instructions: int | None = None
    npu_cycles: int | None = None
    npu_work: NpuWorkRecord | None = None
    cycles: RangeRecord | None = None
    time_us: RangeRecord | None = None
    energy_uj: RangeRecord | None = None
    reason: str | None = None


class MemoryRecord(_Record):
    """Memory in bytes, evidence ``static`` but for the stack's high-water mark.

    ``flash_bytes``/``ram_bytes`` are gross, without the fixture (the uploaded input).
    ``ram_bytes`` = arena + scratch + harness + data + stack high-water mark. An engine that
    interprets the file says itself what it uses of its arena: ``arena_spare_bytes`` were reserved
    beyond that and count nowhere.
    """

    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    weights_bytes: int
    kernels_bytes: int
    harness_flash_bytes: int
    harness_ram_bytes: int
    fixture_bytes: int
    stack_bytes: int | None
    baseline_flash_bytes: int | None
    baseline_ram_bytes: int | None
    npu_driver_bytes: int = 0
    data_bytes: int = 0
    scratch_bytes: int = 0
    arena_spare_bytes: int = 0
    regions: dict[str, int] = Field(default_factory=dict)
    evidence: Evidence = Evidence.STATIC


class ClockRecord(_Record):
    """How counts relate to time. ``tolerance_ppm`` is what the board's file allows."""

    counter_unit: Literal["cycles", "ticks", "none"]
    counter_hz: int | None
    nominal_hz: int | None
    measured_hz: float | None = None
    uncertainty_ppm: float | None = None
    deviation_ppm: float | None = None
    tolerance_ppm: int
    window_cost: Number | None = None
    selftest_expected: int | None = None
    selftest_counted: int | None = None
    source: str


class WorkerRecord(_Record):
    """Who made the run, where that was not the process that was asked. ``executor``: what gave it
    the job; ``job``: hash over network, target, settings and tools; ``tools``: their versions."""

    executor: str
    name: str
    host: str
    job: Sha256
    tools: dict[str, str] = Field(default_factory=dict)


class DeskRecord(_Record):
    """The place of a lab that the board hung on, and the machine there. ``round_trip_us``: median
    of a question to that machine and its answer; no figure of the run depends on it."""

    place: str
    host: str
    round_trip_us: float


class EnvironmentRecord(_Record):
    """What else could change the numbers: every tool's version, flags, git state, host."""

    npubench: str
    git: str | None
    platform: str
    python: str
    tools: dict[str, str]
    flags: tuple[str, ...]
    elf_sha256: Sha256 | None
    project_sha256: Sha256 | None
    firmware: str | None = None
    board_serial: str | None = None
    transport: str = ""
    worker: WorkerRecord | None = None
    desk: DeskRecord | None = None


class NpuRecord(_Record):
    """The NPU's part in a run."""

    accelerator: str
    config_sha256: Sha256
    macs_share: float
    mac_utilization_ratio: float | None = None
    fallbacks: tuple[str, ...] = ()
    details: dict[str, int | float | str] = Field(default_factory=dict)


class SettingsRecord(_Record):
    """How the run was asked for, so that it can be asked for again. ``as_board``: the board whose
    part lent its cycles and energy."""

    warmups: int
    repetitions: int
    seed: int
    own_input: bool = False
    layers: bool
    verify_layers: bool
    as_board: str | None = None


class RunRecord(_Record):
    """One run, complete and immutable. ``target`` is the text of board, backend, options and place;
    ``sweep`` says which point of a sweep the run is: ``id``, ``key``, ``model``, and the varied
    values as ``vary.<axis>`` (docs/sweeps.md). ``energy_missing``: on a part with an NPU, why there
    is no modelled energy."""

    schema_version: Literal[2] = SCHEMA_VERSION
    stage_contract: int
    run_id: str
    created: str
    status: Literal["ok", "failed", "partial", "refused"]
    error: ErrorRecord | None = None
    evidence: Evidence
    target: str
    board: str
    board_kind: Literal["emulated", "physical", "host"]
    backend: str
    options: dict[str, str] = Field(default_factory=dict)
    place: Place
    model: ModelRecord
    golden: GoldenRecord
    stages: dict[str, StageRecord]
    layers: tuple[LayerRecord, ...] = ()
    memory: MemoryRecord | None = None
    clock: ClockRecord | None = None
    npu: NpuRecord | None = None
    scheme: SchemeRecord | None = None
    energy: EnergyRecord | None = None
    energy_missing: str | None = None
    answer: dict[str, int] | None = None
    settings: SettingsRecord | None = None
    environment: EnvironmentRecord
    command: tuple[str, ...] = ()
    timings_s: dict[str, float]
    artifacts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    accuracy: tuple[AccuracyRecord, ...] = ()
    sweep: dict[str, Scalar] = Field(default_factory=dict)
    import_steps: tuple[ImportStepRecord, ...] = ()

    @cached_property
    def valid(self) -> bool:
        """Correct before fast: only such a run has a speed. Without a reference it is shown, and
        the reader told. Judged once; every table, page and document asks here."""
        return self.status in ("ok", "partial") and self.golden.status != "mismatch"

    @cached_property
    def why_invalid(self) -> str | None:
        """Why a run is not valid, in one line; None of a valid one."""
        if self.valid:
            return None
        if self.error is not None:
            return printable(next(iter(self.error.message.splitlines()), self.error.kind), 300)
        if self.golden.status == "mismatch":
            return (
                f"{self.golden.mismatches} of {self.golden.tensors} tensors differ from the "
                "golden ones"
            )
        return f"the run is {self.status} and does not say why"


def unknown_fields(record: BaseModel, path: str = "") -> tuple[str, ...]:
    """Dotted names of the fields that this file does not describe: kept in what was read."""
    found = [f"{path}{name}" for name in record.model_extra or ()]
    for name in type(record).model_fields:
        found += _unknown(getattr(record, name), f"{path}{name}.")
    return tuple(found)


def _unknown(value: object, path: str) -> tuple[str, ...]:
    if isinstance(value, BaseModel):
        return unknown_fields(value, path)
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, tuple):
        items = enumerate(value)
    return tuple(name for key, item in items for name in _unknown(item, f"{path}{key}."))

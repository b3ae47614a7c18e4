"""What a run is: the record that ``run.json`` holds and that ``--json`` prints.

Strict: a field that is not described here is an error. Any change of meaning raises
``SCHEMA_VERSION``; docs/results-format.md and docs/schemas/run.schema.json follow from this file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from npubench.core.evidence import Evidence

SCHEMA_VERSION: Literal[1] = 1
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = int | float


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorRecord(_Record):
    """Why a run is not ``ok``: the error's class, what happened, what to do."""

    kind: str
    message: str
    hint: str = ""


class ModelRecord(_Record):
    """The network. ``network_sha256``: as brought; ``artifact_sha256``: what runs."""

    name: str
    network_sha256: Sha256
    artifact_sha256: Sha256
    macs: int
    parameters: int
    ops: int
    source: str


class GoldenRecord(_Record):
    """Correctness. ``tensors``: how many were compared; ``mismatches``: how many of them differ.

    ``first_mismatch`` names the first differing tensor; ``elements_differ`` counts differing output
    elements, ``max_abs_diff`` is their largest difference in quantized steps.
    """

    status: Literal["match", "mismatch", "unavailable"]
    reference: Literal["tflm", "portable", "vendor", "none"]
    tensors: int
    mismatches: int
    first_mismatch: str | None = None
    elements_differ: int | None = None
    max_abs_diff: int | None = None
    input_seed: int | None = None
    reason: str | None = None


class StageRecord(_Record):
    """One stage's summary. ``unit``: instructions, cycles, us or us_modelled.

    On an unavailable or inseparable stage the numbers are None and ``reason`` says why. ``low`` and
    ``high`` bound a modelled value; ``ci95_low``/``ci95_high`` are a within-session interval of the
    median; ``deterministic`` means that all repetitions gave one value.
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
    separable: bool = True
    reason: str | None = None


class LayerRecord(_Record):
    """One operator of the network. ``unit`` as in stages; ``value`` is the median of its counts.

    ``low`` and ``high`` bound a modelled value; ``npu_cycles`` are those of the operator itself,
    also where only its job's time can be told.
    """

    index: int
    op: str
    name: str
    engine: Literal["cpu", "npu", "none"] = "cpu"
    kernel: str = ""
    macs: int
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
    reason: str | None = None


class MemoryRecord(_Record):
    """Memory in bytes, evidence ``static`` but for the stack's high-water mark.

    ``flash_bytes``/``ram_bytes`` are gross, without the fixture (the uploaded input).
    ``ram_bytes`` = arena + scratch + harness + data + stack high-water mark.
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


class NpuRecord(_Record):
    """The NPU's part in a run."""

    accelerator: str
    config_sha256: Sha256
    macs_share: float
    mac_utilization_ratio: float | None = None
    fallbacks: tuple[str, ...] = ()
    details: dict[str, int | float | str] = Field(default_factory=dict)


class SettingsRecord(_Record):
    """How the run was asked for, so that it can be asked for again."""

    warmups: int
    repetitions: int
    seed: int
    own_input: bool = False
    layers: bool
    verify_layers: bool


class EnergyStageRecord(_Record):
    """One repetition of a stage, in microjoules; ``low`` and ``high`` bound it (k = 2), None where
    the instrument's accuracy has no source. ``net``: less what idle would have taken meanwhile.

    ``repeats``: repetitions in one window on the device; ``windows``: how many such windows;
    ``samples``: in all of them; ``duration_us``: of one repetition, by the device's clock.
    """

    gross_uj: float
    gross_low_uj: float | None
    gross_high_uj: float | None
    net_uj: float | None
    net_low_uj: float | None
    net_high_uj: float | None
    repeats: int
    windows: int
    samples: int
    duration_us: float
    mean_uw: float
    peak_uw: float
    charge_uc: float


class EnergyInstrumentRecord(_Record):
    """The power instrument. ``serial`` is what was read back from it; empty when nothing was."""

    name: str
    driver: str
    model: str
    serial: str = ""
    firmware: str = ""
    simulated: bool
    rate_hz: float | None = None
    accuracy_source: str = ""


class EnergyRecord(_Record):
    """Energy by stage, integrated on the device's clock. See docs/power.md.

    ``clock_ppm``: how much faster the instrument's clock runs than the device's. ``verdict``:
    ``unqualified`` without intervals, ``refused`` with ``reasons``, each ``name: what happened``.
    ``model`` names the virtual power model, with the hash of its parameters.
    """

    evidence: Evidence
    idle_uw: float | None
    idle_drift_uw: float | None = None
    clock_ppm: float | None
    clock_residual_samples: float | None = None
    edges: int = 0
    integrated_on: Literal["device"] = "device"
    voltage_mv: float | None
    voltage_source: Literal["measured", "declared"]
    stages: dict[str, EnergyStageRecord]
    verdict: Literal["ok", "unqualified", "refused"]
    reasons: tuple[str, ...] = ()
    model: str | None = None
    faults: tuple[str, ...] = ()
    instrument: EnergyInstrumentRecord
    samples_received: int = 0
    samples_lost: int = 0
    samples_filtered: int = 0


class RunRecord(_Record):
    """One run, complete and immutable."""

    schema_version: Literal[1] = SCHEMA_VERSION
    stage_contract: int
    run_id: str
    created: str
    status: Literal["ok", "failed", "partial", "refused"]
    error: ErrorRecord | None = None
    evidence: Evidence
    board: str
    board_kind: Literal["emulated", "physical", "host"]
    backend: str
    model: ModelRecord
    golden: GoldenRecord
    stages: dict[str, StageRecord]
    layers: tuple[LayerRecord, ...] = ()
    memory: MemoryRecord | None = None
    clock: ClockRecord | None = None
    npu: NpuRecord | None = None
    energy: EnergyRecord | None = None
    answer: dict[str, int] | None = None
    settings: SettingsRecord | None = None
    environment: EnvironmentRecord
    command: tuple[str, ...] = ()
    timings_s: dict[str, float]
    artifacts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

"""Adapters of vendors' compilers: the tool is found, asked for its version, run on its own, its
report read; and then it is said what is missing. Every tool here is a stand-in that notes its
arguments and writes what the real one is known to write; none claims more than that."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from npubench.boards import board_ids, load_board
from npubench.compiler.backends import backend_names, load_backend
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite
from npubench.compiler.vendor.adapter import Figure, NeedsVendorRuntime, VendorBackend, read_figures
from npubench.core.errors import ConfigError, ToolError, ToolMissing
from npubench.zoo import resolve_model

STAND_IN = """\
#!{python}
import json, pathlib, sys
log = pathlib.Path({log!r})
calls = json.loads(log.read_text()) if log.exists() else []
calls.append([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])
log.write_text(json.dumps(calls))
if "--version" in sys.argv:
    print({version!r})
    sys.exit(0)
assert pathlib.Path("network.tflite").read_bytes()[4:8] == b"TFL3"
print({report!r})
for name in {files!r}:
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("made")
sys.exit({code})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a tool is known to print and to write, and what must come of it."""

    programs: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]
    report: str = ""
    figures: str = ""
    version: str = "tool v1.2.3"


CASES: dict[str, Case] = {
    "neutron": Case(
        programs=("neutron-converter",),
        words=(
            (
                "neutron-converter", "--input", "network.tflite", "--output",
                "network_neutron.tflite", "--target", "mcxn94x",
            ),
        ),
        files=("network_neutron.tflite",),
        report="  Operator conversion ratio           = 303 / 338 = 0.89645",
        figures="npu_share_ratio 0.89645",
    ),
    "st-edge-ai": Case(
        programs=("stedgeai",),
        words=(
            (
                "stedgeai", "generate", "-m", "network.tflite", "--target", "stm32n6",
                "--output", "out", "--workspace", "workspace",
            ),
        ),
        files=("out/network.c", "out/network.h"),
        report=" macc               :   6,532,528\n weights (ro)       :   24,276 B (23.71 KiB)\n"
        " activations (rw)   :   36,864 B (36.00 KiB) (1 segment)\n"
        " ram (total)        :   67,968 B (66.38 KiB) = 36,864 + 27,648 + 3,456",
        figures="macs 6.53253e+06, weights_bytes 24276, activations_bytes 36864, ram_bytes 67968",
        version="ST Edge AI Core v2.1.0-20194 329b0e98d",
    ),
    "cvitek": Case(
        programs=("model_transform.py", "model_deploy.py", "model_tool"),
        words=(
            (
                "model_transform.py", "--model_name", "network", "--model_def", "network.tflite",
                "--mlir", "network.mlir",
            ),
            (
                "model_deploy.py", "--mlir", "network.mlir", "--quantize", "INT8",
                "--quant_input", "--quant_output", "--chip", "cv180x", "--model",
                "network.cvimodel",
            ),
            ("model_tool", "--info", "network.cvimodel"),
        ),
        files=("network.mlir", "network.cvimodel"),
        report="Mlir Version: v1.15.1-20250208\nCvimodel Version: 1.4.0\nFor cv180x chip ONLY\n"
        "CviModel Need ION Memory Size: (11.73 MB)\n\nSections:\n"
        "ID   TYPE      NAME                     SIZE        OFFSET      MD5\n"
        "000  weight    weight                   3120192     0           b9f35851c394615733555613\n"
        "001  cmdbuf    subfunc_1                476232      3120192     78bc8b80b07e2b51\n",
        figures="memory_mib 11.73, weights_bytes 3.12019e+06, commands_bytes 476232",
    ),
    "gap8": Case(
        programs=("nntool",),
        words=(("nntool", "-s", "nntool_script", "network.tflite", "-q"),),
        files=("network_model.c", "tensors/w0.tensor"),
    ),
    "esp-dl": Case(programs=("idf.py",), words=(), files=(), version="ESP-IDF v5.2.3"),
    "mvp": Case(
        programs=("mltk",),
        words=(("mltk", "profile", "network.tflite", "--accelerator", "MVP"),),
        files=(),
        report="Profiling Summary\nName: image_classification\nAccelerator: MVP\n"
        "Flash, Model File Size (bytes): 99.3k\nRAM, Runtime Memory Size (bytes): 55.3k\n"
        "Operation Count: 25.2M\nMultiply-Accumulate Count: 12.4M\nLayer Count: 16\n"
        "Unsupported Layer Count: 0\nAccelerator Cycle Count: 18.6M\nCPU Cycle Count: 210.8k\n"
        "CPU Utilization (%): 1.1",
        figures="accelerator_cycles 1.86e+07, layers_count 16, "
        "unsupported_layers_count 0, macs 1.24e+07, model_bytes 99300, ram_bytes 55300",
    ),
    "axon": Case(
        programs=("axons_ml_nn_compiler_executor.py",),
        words=(("axons_ml_nn_compiler_executor.py", "network.yaml"),),
        files=("outputs/nrf_axon_model_network_.h",),
        report="command_buf size=425496\nmodel constants buffer size=621032\n"
        "interlayer buffer size: provisioned 500000, needed 146892\n"
        "Psum buffer size: provisioned 50000, needed 0\nPersistent Vars buffer size needed 0",
        figures="command_buffer_bytes 425496, weights_bytes 621032, activations_bytes 146892, "
        "psum_bytes 0",
    ),
    "ti-nnc": Case(
        programs=("tvmc",),
        words=(
            (
                "tvmc", "compile", "--output-format=a", "--runtime=crt", "--executor=aot",
                "--executor-aot-interface-api=c", "--executor-aot-unpacked-api=1",
                "--pass-config", "tir.disable_vectorize=1", "--pass-config",
                "tir.usmp.algorithm=hill_climb",
                "--target=c, ti-npu skip_normalize=true output_int=true",
                "--target-c-mcpu=cortex-m0plus", "network.tflite", "-o", "artifacts/mod.a",
                "--cross-compiler=tiarmclang",
            ),
        ),
        files=("artifacts/mod.a", "artifacts/tvmgen_default.h"),
    ),
    "nncase": Case(
        programs=("ncc",),
        words=(
            ("ncc", "compile", "-i", "tflite", "-t", "k210", "network.tflite", "network.kmodel"),
        ),
        files=("network.kmodel",),
        report="8. Generate code...\n\nSUMMARY\nINPUTS\n0\tinput\tf32[1,1,28,28]\nOUTPUTS\n"
        "0\toutput\tf32[1,10]\n\nMEMORY USAGES\n.input\t   3.06 KB\t(3136 B)\n"
        ".output\t  40.00 B\t(40 B)\n.data\t 120.00 B\t(120 B)\nMODEL\t  31.65 KB\t(32408 B)\n"
        "TOTAL\t  34.87 KB\t(35704 B)\n",
        figures="input_bytes 3136, output_bytes 40, activations_bytes 120, model_bytes 32408, "
        "total_bytes 35704",
    ),
}  # fmt: skip


@pytest.fixture
def kws() -> tuple[bytes, Graph]:
    return load_tflite(resolve_model("kws").path)


class Desk:
    """A PATH with stand-ins and nothing else of vendors."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self._log = folder / "calls.json"
        monkeypatch.setenv("PATH", str(self._folder))
        monkeypatch.setenv("NPUBENCH_CACHE", str(folder / "cache"))
        for variable in ("EIQ_NEUTRON_PATH", "STEDGEAI"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("AXON_COMPILER_DIR", str(folder / "axon"))
        self._axon = folder / "axon" / "scripts"

    def install(self, case: Case, *, code: int = 0, files: tuple[str, ...] | None = None) -> None:
        for program in case.programs:
            place = self._axon if program.startswith("axons") else self._folder
            place.mkdir(parents=True, exist_ok=True)
            path = place / program
            path.write_text(
                STAND_IN.format(
                    python=sys.executable,
                    log=str(self._log),
                    version=case.version,
                    report=case.report,
                    files=case.files if files is None else files,
                    code=code,
                )
            )
            path.chmod(0o755)

    def calls(self) -> list[list[str]]:
        calls: list[list[str]] = json.loads(self._log.read_text()) if self._log.exists() else []
        return [call for call in calls if "--version" not in call]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_every_adapter_has_its_case() -> None:
    adapters = {n for n in backend_names() if isinstance(load_backend(n), VendorBackend)}
    assert adapters == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_words_products_report_and_what_is_missing(
    name: str, desk: Desk, kws: tuple[bytes, Graph]
) -> None:
    case = CASES[name]
    desk.install(case)
    backend = load_backend(name)
    assert isinstance(backend, VendorBackend)
    with pytest.raises(NeedsVendorRuntime) as error:
        backend.compile(kws[1], kws[0], load_board("nucleo-l4r5zi"))
    assert [tuple(call) for call in desk.calls()] == list(case.words)
    message = error.value.message
    assert "\n" not in message
    assert backend.runtime in message
    assert case.figures in message
    assert "--backend cpu" in error.value.hint
    folder = Path(error.value.hint.split("its output is in ")[1].split(";")[0])
    kept = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert kept == set(case.files)


@pytest.mark.parametrize("name", CASES)
def test_a_missing_tool_says_how_to_get_it(
    name: str, desk: Desk, kws: tuple[bytes, Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    del desk
    monkeypatch.delenv("AXON_COMPILER_DIR")
    backend = load_backend(name)
    assert isinstance(backend, VendorBackend)
    with pytest.raises(ToolMissing, match=backend.engine) as error:
        backend.compile(kws[1], kws[0], load_board("nucleo-l4r5zi"))
    assert backend.tool.install in error.value.hint
    assert "--backend cpu" in error.value.hint


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].words])
def test_a_tool_that_fails_is_quoted(name: str, desk: Desk, kws: tuple[bytes, Graph]) -> None:
    desk.install(CASES[name], code=9)
    with pytest.raises(ToolError, match="ended with exit code 9"):
        load_backend(name).compile(kws[1], kws[0], load_board("nucleo-l4r5zi"))


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].files])
def test_a_tool_that_makes_nothing_is_seen(name: str, desk: Desk, kws: tuple[bytes, Graph]) -> None:
    desk.install(CASES[name], files=())
    with pytest.raises(ToolError, match="but made no"):
        load_backend(name).compile(kws[1], kws[0], load_board("nucleo-l4r5zi"))


def test_another_program_of_that_name_is_seen(desk: Desk, kws: tuple[bytes, Graph]) -> None:
    desk.install(Case(programs=("ncc",), words=(), files=(), version="no number here"))
    with pytest.raises(ToolError, match="does not say its version"):
        load_backend("nncase").compile(kws[1], kws[0], load_board("k210-maix"))


def test_a_variable_that_leads_nowhere_is_named(
    desk: Desk, kws: tuple[bytes, Graph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del desk
    monkeypatch.setenv("EIQ_NEUTRON_PATH", str(tmp_path / "gone"))
    with pytest.raises(ToolMissing, match=r"EIQ_NEUTRON_PATH is .*gone, but there is no"):
        load_backend("neutron").compile(kws[1], kws[0], load_board("frdm-mcxn947"))


def test_a_board_may_choose_the_chip(desk: Desk, kws: tuple[bytes, Graph]) -> None:
    desk.install(CASES["neutron"])
    board = load_board("frdm-mcxn947")
    assert board.npu is not None
    npu = board.npu.model_copy(update={"config": {"target": "imxrt700"}})
    with pytest.raises(NeedsVendorRuntime):
        load_backend("neutron").compile(kws[1], kws[0], board.model_copy(update={"npu": npu}))
    assert desk.calls()[0][-1] == "imxrt700"


def test_what_a_report_lacks_is_left_out() -> None:
    figures = (Figure(name="a", pattern=r"a=(\d+)"), Figure(name="r", pattern=r"(\d+) of (\d+)"))
    assert read_figures(figures, "a=7") == {"a": 7.0}
    assert read_figures(figures, "3 of 4") == {"r": 0.75}
    assert read_figures(figures, "3 of 0") == {}
    scaled = (Figure(name="s", pattern=r"size: ([\d.,]+[kMG]?)"),)
    for text, wanted in {"1,234": 1234.0, "99.3k": 99300.0, "1.5M": 1.5e6, "7": 7.0}.items():
        assert read_figures(scaled, f"size: {text}") == {"s": wanted}


def test_every_adapter_says_where_its_words_are_from() -> None:
    for name in CASES:
        backend = load_backend(name)
        assert isinstance(backend, VendorBackend)
        assert backend.sources
        assert backend.runtime


def test_boards_name_only_backends_that_there_are() -> None:
    for name in board_ids():
        assert load_board(name).default_backend in backend_names()


def test_max7800x_is_no_mere_adapter(kws: tuple[bytes, Graph]) -> None:
    with pytest.raises(ConfigError, match="has no MAX78000"):
        load_backend("max7800x").compile(kws[1], kws[0], load_board("nucleo-l4r5zi"))

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
        report="    Number of operators converted     = 303\n"
        "    Number of operators NOT converted = 35\n"
        "    Number of Neutron graphs          = 1\n"
        "  Operator conversion ratio           = 303 / 338 = 0.89645\n"
        "Minimum size of SRAM scratch memory = 1082368 (bytes)\n"
        "Total size = 120,144 (bytes) (All)",
        figures="npu_share_ratio 0.89645, operators_on_npu 303, neutron_graphs_count 1, "
        "scratch_bytes 1.08237e+06, total_bytes 120144",
        version="3.1.3+0X1e788118",
    ),
    "st-edge-ai": Case(
        programs=("stedgeai",),
        words=(
            (
                "stedgeai", "generate", "--model", "network.tflite", "--target", "stm32n6",
                "--st-neural-art", "--output", "out", "--workspace", "workspace",
            ),
        ),
        files=("out/network.c", "out/network.h"),
        report=" macc               :   6,532,528\n weights (ro)       :   24,276 B (23.71 KiB)\n"
        " activations (rw)   :   36,864 B (36.00 KiB) (1 segment)\n"
        " ram (total)        :   67,968 B (66.38 KiB) = 36,864 + 27,648 + 3,456",
        figures="macs 6.53253e+06, weights_bytes 24276, activations_bytes 36864, ram_bytes 67968",
        version="ST Edge AI Core v2.1.0-20194 329b0e98d",
    ),
    "ti-nnc": Case(
        programs=("tvmc",),
        words=(
            (
                "tvmc", "compile", "--output-format=a", "--runtime=crt", "--executor=aot",
                "--executor-aot-interface-api=c", "--executor-aot-unpacked-api=1",
                "--pass-config", "tir.disable_vectorize=1", "--pass-config",
                "tir.usmp.algorithm=hill_climb",
                "--target=c, ti-npu type=hard skip_normalize=true output_int=true",
                "--target-c-mcpu=cortex-m0plus", "network.tflite", "-o", "artifacts/mod.a",
                "--cross-compiler=tiarmclang",
                "--cross-compiler-options=-Os -mcpu=cortex-m0plus -march=thumbv6m "
                "-mtune=cortex-m0plus -mthumb -mfloat-abi=soft -I. -Wno-return-type",
            ),
        ),
        files=("artifacts/mod.a", "artifacts/tvmgen_default.h"),
        version="0.20.dev0",
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

    def install(self, case: Case, *, code: int = 0, files: tuple[str, ...] | None = None) -> None:
        for program in case.programs:
            path = self._folder / program
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
def test_a_missing_tool_says_how_to_get_it(name: str, desk: Desk, kws: tuple[bytes, Graph]) -> None:
    del desk
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
    desk.install(Case(programs=("stedgeai",), words=(), files=(), version="no number here"))
    with pytest.raises(ToolError, match="does not say its version"):
        load_backend("st-edge-ai").compile(kws[1], kws[0], load_board("stm32n6570-dk"))


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

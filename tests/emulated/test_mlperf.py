"""The promise to users of MLCommons' runner: what it does, our firmware understands.

The driver below does byte by byte what the runner does in its performance and accuracy modes, on
a pty that `npubench boot --pty` offers: it opens the port twice, sends 31 bytes a command, always
names the warm-ups, looks at nothing but a few lines, and ends an answer at the first line with
``m-ready`` in it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial

from npubench.compiler.tflite.reader import load_tflite
from npubench.core.progress import Silent
from npubench.core.seeded import seeded_bytes
from npubench.golden import golden_outputs, tflm_version
from npubench.mlperf.dut import DutResult
from npubench.mlperf.run import run_dut
from npubench.zoo import resolve_model

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(tflm_version() is None, reason="tflite-micro is not installed"),
]
LINE_S = 30.0
UPLOAD_BYTES = 31
NAME = re.compile(r"^m-(name)-dut-\[([^]]+)]$")
PROFILE = re.compile(r"^m-(model|profile)-\[([^]]+)]$")
RESULTS = re.compile(r"^m-results-\[([^]]+)\]$")
LAP = re.compile(r"^m-lap-us-([0-9]+)$")

Boot = Callable[[str], AbstractContextManager[Path]]


class Runner:
    """The runner's side of the line."""

    def __init__(self, port: Path) -> None:
        self._port = serial.Serial(os.fspath(port), 115200, timeout=0.1)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._port.close()

    def ask(self, command: str) -> list[str]:
        """The lines of the answer, ``m-ready`` included."""
        self._port.write(command.encode("ascii"))
        self._port.write(b"%")
        lines: list[str] = []
        while not lines or "m-ready" not in lines[-1]:
            lines.append(self._line())
        return lines

    def is_quiet(self) -> bool:
        """Whether the last answer was all: the runner sends its next command at once."""
        return bool(self._port.read(1) == b"")

    def load(self, data: bytes) -> None:
        """Upload a file of the data set."""
        self.ask(f"db load {len(data)}")
        for offset in range(0, len(data), UPLOAD_BYTES):
            self.ask(f"db {data[offset : offset + UPLOAD_BYTES].hex()}")

    def infer(self, iterations: int, warmups: int) -> tuple[list[float], list[int]]:
        """The results and the laps, as the runner finds them."""
        lines = self.ask(f"infer {iterations} {warmups}")
        (results,) = [match[1] for match in map(RESULTS.match, lines) if match]
        laps = [int(match[1]) for match in map(LAP.match, lines) if match]
        return [float(value) for value in results.split(",")], laps

    def _line(self) -> str:
        text = ""
        end_s = time.monotonic() + LINE_S
        while time.monotonic() < end_s:
            char = self._port.read(1).decode("ascii")
            if char == "\n":
                return text
            if char not in "\r\0":
                text += char
        raise AssertionError(f"no line for {LINE_S:g} s after {text!r}")


@pytest.fixture
def boot(checkout: Path, tmp_path: Path) -> Boot:
    """Boot a model with `npubench boot --pty`; ended as by Ctrl-C, without a trace."""

    @contextmanager
    def run(model: str) -> Iterator[Path]:
        link = tmp_path / "dut"
        roots = [os.fspath(checkout / root) for root in ("compiler", "host")]
        # Where Ctrl-C is ignored (a job in the background), children inherit that.
        start = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from npubench.cli.main import main; main()"
        )
        words = ["boot", model, "--board", "qemu-m4", "--pty", os.fspath(link)]
        with subprocess.Popen(
            [sys.executable, "-c", start, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            try:
                said: list[str] = []
                for line in process.stderr:
                    said.append(line)
                    if "the console is at" in line:
                        break
                assert link.is_symlink(), "".join(said)
                yield link
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=30)
                finally:
                    process.kill()
        assert process.returncode == 130
        assert not os.path.lexists(link)

    return run


def identify(port: Path) -> tuple[str, dict[str, str]]:
    """The first opening: who is there, and what does it run?"""
    with Runner(port) as runner:
        (name,) = [match[2] for match in map(NAME.match, runner.ask("name")) if match]
        found = filter(None, map(PROFILE.match, runner.ask("profile")))
        return name, {match[1]: match[2] for match in found}


def _driven(port: Path, model: str) -> DutResult:
    """As `npubench dut` does it, for firmware of anybody's: two inferences."""
    return run_dut(
        os.fspath(port),
        baud=115_200,
        model=model,
        inputs=(),
        windows=1,
        iterations=2,
        warmups=0,
        seed=1,
        log=None,
        reporter=Silent(),
    )


def test_keyword_spotting_through_a_pty(boot: Boot, tmp_path: Path) -> None:
    """Scores are those of TFLM, and a window measures as many inferences as it was asked for."""
    data, graph = load_tflite(resolve_model("kws").path)
    output = graph.tensors[graph.outputs[0]]
    assert output.quantization is not None
    with boot("kws") as port:
        assert identify(port) == (
            "npubench",
            {"profile": "ULPMark for tinyML Firmware V0.0.1", "model": "kws01"},
        )
        with Runner(port) as runner:
            answers = []
            for seed in (1, 2):
                sample = seeded_bytes(seed, 490)
                raw = np.frombuffer(golden_outputs(data, sample).output_bytes, np.int8)
                zero, scale = output.quantization.zero_points[0], output.quantization.scales[0]
                expected = (raw.astype(np.float64) - zero) * scale

                runner.load(sample)
                results, laps = runner.infer(1, 0)
                assert results == pytest.approx(expected, abs=0.0006)
                assert int(np.argmax(results)) == int(np.argmax(raw))
                assert len(laps) == 2
                answers.append((results, laps[1] - laps[0]))

            results, laps = runner.infer(2, 1)
            assert results == answers[-1][0]
            assert laps[1] - laps[0] == pytest.approx(2 * answers[-1][1], rel=0.001)
            assert laps[0] > 0
            assert runner.is_quiet()

        other = tmp_path / "other.tflite"
        weights = graph.tensor(graph.ops[-2].inputs[1]).data
        assert weights is not None
        other.write_bytes(data.replace(weights, bytes(byte ^ 0x40 for byte in weights)))
        right, wrong = (_driven(port, name) for name in ("kws", os.fspath(other)))
        assert right.is_ok
        assert (right.model, right.reference, right.evidence) == ("kws01", "TFLM", "modelled")
        assert not wrong.is_ok
        assert "mlperf.other-answer" in [found.finding.id for found in wrong.findings]
        assert right.windows[0].results_milli == wrong.windows[0].results_milli
    assert len({tuple(results) for results, _ in answers}) == 2


def test_anomaly_detection_through_a_pty(boot: Boot) -> None:
    """The data set's floats go up; one number comes back, the mean squared error against them."""
    data, graph = load_tflite(resolve_model("ad").path)
    given = graph.tensors[graph.inputs[0]].quantization
    output = graph.tensors[graph.outputs[0]].quantization
    assert given is not None
    assert output is not None
    with boot("ad") as port:
        assert identify(port)[1]["model"] == "ad01"
        with Runner(port) as runner:
            noise = np.frombuffer(seeded_bytes(1, 640), np.int8)
            sample = (noise / 4.0 - 25.0).astype("<f4")
            steps = np.round(sample.astype(np.float64) / given.scales[0])
            levels = np.clip(steps + given.zero_points[0], -128, 127).astype(np.int8)
            raw = np.frombuffer(golden_outputs(data, levels.tobytes()).output_bytes, np.int8)
            rebuilt = (raw.astype(np.float64) - output.zero_points[0]) * output.scales[0]
            expected = np.mean((rebuilt - sample) ** 2)

            runner.load(sample.tobytes())
            results, laps = runner.infer(1, 0)
            # three decimals, computed on the board in single precision
            assert results == pytest.approx([expected], abs=0.0006, rel=2e-6)
            assert len(laps) == 2
            assert runner.is_quiet()
        assert _driven(port, "ad").is_ok

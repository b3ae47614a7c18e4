"""Promise: any firmware of MLPerf Tiny is measured by its base commands alone, and what speaks
against its figures is said."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from npubench.cli.app import run_words
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import UsageError
from npubench.core.progress import Silent
from npubench.emulators.simulated import (
    SimulatedBoard,
    SimulatedNetwork,
    SimulatedTransport,
    serve,
)
from npubench.mlperf import dut
from npubench.mlperf.answer import expectation
from npubench.mlperf.dut import DutResult, Upload, measure
from npubench.mlperf.form import generated, network_input, printed_results, upload_size
from npubench.transport.failure import DeviceEnded
from npubench.transport.socket_port import SocketTransport
from npubench.wire.device import Device
from npubench.zoo import BENCHMARKS, resolve_model


@pytest.fixture
def foreign() -> Iterator[Callable[..., Device]]:
    """The client of simulated firmware that knows MLPerf's base commands only."""
    opened: list[SimulatedTransport] = []

    def make(mode: str = "performance", **network: Any) -> Device:
        board = SimulatedBoard(SimulatedNetwork(extended=False, **network))
        board.mode = mode
        transport = SimulatedTransport(board)
        transport.__enter__()
        opened.append(transport)
        device = Device(transport)
        device.wait_boot()
        return device

    yield make
    for transport in opened:
        transport.__exit__(None, None, None)


def _measured(device: Device, *sizes: int, **options: Any) -> DutResult:
    uploads = [Upload(name=f"file {at}", data=bytes([at] * size)) for at, size in enumerate(sizes)]
    return measure(device, uploads, port="x", played=True, reporter=Silent(), **options)


def test_five_windows_of_a_little_over_ten_seconds(foreign: Callable[..., Device]) -> None:
    device = foreign(model="kws01", input_bytes=490)
    result = _measured(device, 490, 490, 490, 490, 490)
    # 1,020 counts of 25 MHz an inference
    assert result.median_ips == pytest.approx(25e6 / 1020, rel=1e-3)
    assert result.latency_us == pytest.approx(40.8, rel=1e-3)
    assert [window.input for window in result.windows] == [f"file {at}" for at in range(5)]
    assert all((window.elapsed_us or 0) >= 10_000_000 for window in result.windows)
    assert len({window.results_milli for window in result.windows}) == 5
    assert (result.model, result.extended, result.findings) == ("kws01", False, ())
    assert result.evidence == "modelled"
    # nothing but base commands, an answer to which every firmware has
    verbs = {sent.data.split(b" ")[0].rstrip(b"%") for sent in device.log.sent}
    assert verbs == {b"profile", b"name", b"caps", b"timestamp", b"db", b"infer"}


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"windows": 3}, ["mlperf.window-count"]),
        ({"iterations": 9}, ["mlperf.short-window"]),
        ({"iterations": 200_000}, ["mlperf.short-window"]),
        ({"iterations": 250_000}, []),
    ],
)
def test_the_rules_of_the_benchmark_are_told(
    foreign: Callable[..., Device], options: dict[str, int], ids: list[str]
) -> None:
    result = _measured(foreign(model="kws01", input_bytes=490), 490, **options)
    assert [found.finding.id for found in result.findings] == ids
    assert result.is_ok


def test_energy_mode_has_no_times_and_says_so(foreign: Callable[..., Device]) -> None:
    result = _measured(foreign("energy", model="kws01", input_bytes=490), 490, iterations=20)
    assert [found.finding.id for found in result.findings] == ["mlperf.no-times"]
    assert (result.median_ips, result.clock) == (None, None)
    assert all(window.results_milli for window in result.windows)


@pytest.mark.parametrize("size", [489, 492, 27_648])
def test_an_upload_of_another_size_is_refused_or_not_confirmed(
    foreign: Callable[..., Device], size: int
) -> None:
    device = foreign(model="kws01", input_bytes=491)
    if size < 491:
        assert _measured(device, size, iterations=1).windows
    else:
        with pytest.raises(UsageError, match=f"does not take an upload of {size} bytes: 'Supplied"):
            _measured(device, size, iterations=1)


@pytest.mark.parametrize(
    ("device_s", "deviation_ppm"),
    [(60.0, 0), (60.6, 10_000), (66.0, 100_000), (30.0, -500_000), (4294.967296 + 60.6, None)],
)
def test_the_devices_clock_against_the_hosts(device_s: float, deviation_ppm: int | None) -> None:
    """Over a minute, across the wrap of its 32 bits; an hour more is not excused."""
    begin_us = 4_294_000_000
    times = [
        dut._Time(device_us=begin_us, sent_s=0.0, received_s=0.002),
        dut._Time(
            device_us=(begin_us + round(device_s * 1e6)) % 2**32, sent_s=60.0, received_s=60.002
        ),
    ]
    clock = dut._clock(times)
    assert clock is not None
    assert clock.uncertainty_ppm == pytest.approx(33.3, rel=0.01)
    # a whole wrap more cannot be seen: what is left is judged
    assert clock.deviation_ppm == pytest.approx(
        10_000 if deviation_ppm is None else deviation_ppm, abs=1
    )
    found = dut._found([], clock, energy=True)
    off = any(item.finding.id == "mlperf.clock-off" for item in found)
    assert off == (abs(clock.deviation_ppm) > 10_100)


def test_uploads_have_the_form_and_size_of_the_benchmark() -> None:
    sizes = {name: upload_size(name) for name in (*BENCHMARKS, "sww01", "mine")}
    assert sizes == {
        "kws01": 490,
        "vww01": 27_648,
        "ic01": 3_072,
        "ic02": 3_072,
        "ad01": 2_560,
        "sww01": None,
        "mine": None,
    }
    for name in BENCHMARKS:
        first, second = generated(name, 1), generated(name, 2)
        assert len(first) == len(second) == sizes[name]
        assert first != second
    with pytest.raises(UsageError, match="'mine', which is no benchmark") as error:
        generated("mine", 1)
    assert "--input" in error.value.hint


def test_data_become_the_networks_input_as_on_the_device() -> None:
    graph = load_tflite(resolve_model("vww").path)[1]
    assert network_input(bytes([0, 127, 128, 255]), BENCHMARKS["vww01"], graph) == bytes(
        [0x80, 0xFF, 0x00, 0x7F]
    )
    graph = load_tflite(resolve_model("ad").path)[1]
    tensor = graph.tensor(graph.inputs[0])
    assert tensor.quantization is not None
    scale, zero = tensor.quantization.scale, tensor.quantization.zero_point
    exact = [np.float32(scale) * steps for steps in (0, 0.4, 1.6, -1.6, 1e6, -1e6)]
    upload = struct.pack("<7f", *exact, float("nan"))
    codes = np.frombuffer(network_input(upload, BENCHMARKS["ad01"], graph), np.int8).tolist()
    assert codes == [zero, zero, min(zero + 2, 127), zero - 2, 127, -128, zero]


def test_the_error_of_an_autoencoder_is_that_against_the_floats() -> None:
    graph = load_tflite(resolve_model("ad").path)[1]
    upload = generated("ad01", 3)
    given = np.frombuffer(upload, "<f4")
    quantization = graph.tensor(graph.outputs[0]).quantization
    assert quantization is not None
    output = np.full(640, quantization.zero_point, np.int8).tobytes()
    (error,) = printed_results(output, upload, BENCHMARKS["ad01"], graph)
    assert error == pytest.approx(float(np.mean(given.astype(float) ** 2)))


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (None, None),
        ({3: 1}, "file 0: 0.501 is printed as value 3, 0.500000 is right"),
        ("short", "a list of 11 is printed as value 0, a list of 12 is right"),
    ],
    ids=["right", "one-off", "too-few"],
)
def test_printed_results_are_held_against_the_network(
    monkeypatch: pytest.MonkeyPatch, printed: Any, said: str | None
) -> None:
    """A digit more than was rounded away is a difference, and so is another number of values."""
    data, graph = load_tflite(resolve_model("kws").path)
    tensor = graph.tensor(graph.outputs[0])
    assert tensor.quantization is not None
    codes = [tensor.quantization.zero_point] * 12
    codes[3] += round(0.5 / tensor.quantization.scale)
    output = np.array(codes, np.int8).tobytes()
    monkeypatch.setattr(
        "npubench.mlperf.answer.golden_outputs",
        lambda *_: SimpleNamespace(output_bytes=output),
    )
    milli = [0] * 12
    milli[3] = 500
    if printed == "short":
        milli.pop()
    else:
        for place, step in (printed or {}).items():
            milli[place] += step
    found = expectation(data, graph, "kws01").judge([("file 0", bytes(490), tuple(milli))])
    if said is None:
        assert not found
    else:
        assert said in found[0].text


def test_a_model_that_is_no_benchmark_cannot_be_judged() -> None:
    data, graph = load_tflite(resolve_model("kws").path)
    for name in ("mine", "sww01"):
        with pytest.raises(UsageError, match="is no benchmark of MLPerf Tiny"):
            expectation(data, graph, name)
    with pytest.raises(UsageError, match="not a network of ad01"):
        expectation(data, graph, "ad01")


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """A simulated board on a TCP port of this machine; gives the port's name."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def make(**network: Any) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer() -> None:
            board = SimulatedBoard(SimulatedNetwork(**network))
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                try:
                    with SocketTransport(peer, label="peer") as transport:
                        serve(board, transport)
                except DeviceEnded:
                    continue

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        threads.append(thread)
        return f"socket://127.0.0.1:{listener.getsockname()[1]}"

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(timeout=5)


def test_the_verb_over_a_line(
    served: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = served(extended=False, model="kws01", input_bytes=490)
    log = tmp_path / "serial.bin"
    code = run_words(["dut", "--port", port, "-n", "300000", "--windows", "5", "--log", str(log)])
    said = capsys.readouterr().out
    assert code == 0
    assert "Median: 24509.804 inferences/s, 40.8 us each (modelled)" in said
    assert "a program may be behind this port" in said
    assert log.read_bytes().count(b"m-infer-done") == 5


@pytest.mark.parametrize("extended", [False, True], ids=["base", "another-network"])
def test_a_board_that_is_not_flashed_is_asked_before_the_build(
    served: Callable[..., str],
    extended: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_build(*_: object, **__: object) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr("npubench.bench.run.build_image", no_build)
    port = served(extended=extended, model="kws01", board="nucleo-l4r5zi")
    words = ["bench", "digits", "--board", "nucleo-l4r5zi", "--port", port, "--no-flash"]
    code = run_words(
        [*words, "--runs-dir", str(tmp_path / "runs"), "--report", str(tmp_path / "r")]
    )
    said = capsys.readouterr().err
    assert code == 1
    assert "other firmware answers" in said
    assert ("npubench dut --port" in said) != extended

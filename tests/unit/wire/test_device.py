"""Promise: each way in which a board fails to answer is seen as what it is, and nothing is made
up for what was lost."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import pytest

from npubench.core.seeded import seeded_bytes
from npubench.emulators.simulated import SimulatedBoard, SimulatedNetwork, SimulatedTransport
from npubench.transport.failure import DeviceEnded, DeviceSilent
from npubench.transport.session_log import SessionLog, format_sent, read_sent
from npubench.wire.conversation import Timeouts
from npubench.wire.device import Caps, Device, MemResult, Rep, TensorCrc, expect_firmware
from npubench.wire.failure import (
    DeviceBabble,
    DeviceFault,
    DeviceLate,
    DeviceRefused,
    DeviceReset,
    ProtocolNewer,
    RecordBroken,
    RecordLost,
    WrongFirmware,
)
from npubench.wire.faulty import FaultyTransport, MishapKind, parse_mishap
from npubench.wire.protocol import error_number
from npubench.wire.replay import ReplayTransport

Connect = Callable[..., Device]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Boots a simulated board, with mishaps, and gives its client. Its time is virtual."""
    opened: list[FaultyTransport] = []

    def make(*mishaps: str, boot: bool = True, **network: object) -> Device:
        board = SimulatedBoard(SimulatedNetwork(**network))  # type: ignore[arg-type]
        transport = FaultyTransport(SimulatedTransport(board), [*map(parse_mishap, mishaps)])
        transport.__enter__()
        opened.append(transport)
        device = Device(transport)
        if boot:
            device.wait_boot()
        return device

    yield make
    for transport in opened:
        transport.__exit__(None, None, None)


class Script:
    """A transport that says what it is told, whatever it is asked. Waiting takes virtual time."""

    def __init__(self, *chunks: bytes, endless: bytes = b"") -> None:
        self.chunks = list(chunks)
        self.endless = endless
        self.time_s = 0.0

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read(self, timeout_s: float) -> bytes:
        if self.chunks:
            return self.chunks.pop(0)
        self.time_s += min(timeout_s, 0.5) if self.endless else timeout_s
        return self.endless

    def write(self, data: bytes) -> None:
        del data

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return self.time_s

    def describe(self) -> str:
        return "script"


def test_a_whole_session(connect: Connect) -> None:
    device = connect()
    assert device.banner[-1] == "m-init-done"
    caps = device.caps()
    assert (caps.board, caps.ops, caps.input_bytes, caps.is_extended) == ("simulated", 3, 16, True)
    assert device.seed(7) == zlib.crc32(seeded_bytes(7, 16))
    bench = device.bench(3, 1)
    assert bench.lost == ()
    assert bench.reps[2] == Rep(
        index=2, init=50, load=20, infer=1000, unload=10, post=5, outer=1041
    )
    assert bench.window == (3,) * 8
    assert bench.init_cold == 60
    assert bench.selftest is not None
    assert bench.selftest.iterations == (1000, 3000)
    layers = device.layers(2)
    assert [(count.rep, count.op, count.count) for count in layers.counts][3:] == [
        (1, 0, 700),
        (1, 1, 200),
        (1, 2, 100),
    ]
    kat = device.kat(tensors=True)
    assert kat.input_crc == zlib.crc32(seeded_bytes(7, 16))
    assert zlib.crc32(kat.output) == kat.output_crc
    assert kat.tensors[0] == TensorCrc(op=0, size_bytes=8, crc=kat.tensors[0].crc)
    assert device.mem() == MemResult(stack_used_bytes=400, stack_size_bytes=4096, arena_bytes=2048)
    first, second = device.clock(), device.clock()
    assert second.count > first.count
    assert second.sent_s >= first.received_s
    device.mode("energy")
    assert device.timestamp() is None
    assert device.infer(2, 1).elapsed_us is None
    device.mode("performance")
    assert device.infer(1000, 1).elapsed_us == 1000 * 1020 * 1_000_000 // 25_000_000
    assert device.results() == tuple(byte * 1000 // 256 for byte in kat.output)
    assert device.profile().model == "echo"
    assert device.fault().causes == ("UNDEFINSTR",)
    device.reset()
    assert device.name() == "npubench"


def test_upload_goes_through_whatever_the_board_knows(connect: Connect) -> None:
    data = seeded_bytes(3, 200)
    device = connect(input_bytes=200)
    device.upload(data)
    assert device.kat().input_crc == zlib.crc32(data)
    assert max(len(sent.data) for sent in device.log.sent) <= 192
    base = connect(input_bytes=200, extended=False)
    base.upload(data)
    assert {sent.data[:3] for sent in base.log.sent[3:]} == {b"db "}
    assert max(len(sent.data) for sent in base.log.sent) == 66


def test_upload_is_sent_again_when_its_crc_differs() -> None:
    class Noisy(SimulatedTransport):
        left = 2

        def write(self, data: bytes) -> None:
            if data.startswith(b"dbc") and self.left:
                self.left -= 1
                data = data.replace(b"aa", b"ab")
            super().write(data)

    with Noisy(SimulatedBoard()) as transport:
        device = Device(transport)
        device.wait_boot()
        device.upload(b"\xaa" * 16)
        assert device.kat().input_crc == zlib.crc32(b"\xaa" * 16)
        transport.left = 3
        with pytest.raises(DeviceRefused, match="crc differs") as caught:
            device.upload(b"\xaa" * 16)
    assert caught.value.number == error_number("bad-crc")


def test_upload_beyond_the_input_is_refused_at_once(connect: Connect) -> None:
    with pytest.raises(DeviceRefused) as caught:
        connect().upload(bytes(17))
    assert caught.value.number == error_number("out-of-range")


def test_other_firmware_is_talked_to_in_the_base_dialect(connect: Connect) -> None:
    device = connect(extended=False, model="kws01")
    caps = device.caps()
    assert (caps.proto, caps.model, caps.is_extended) == (0, "kws01", False)
    assert device.infer(1, 0).results_milli
    with pytest.raises(WrongFirmware, match="kws01"):
        expect_firmware(caps, artifact_sha256="0" * 64)


def test_identity_is_checked_and_both_sides_are_named() -> None:
    caps = Caps(proto=1, firmware="npubench 1", artifact="a" * 64, build="b" * 16)
    expect_firmware(caps, artifact_sha256="a" * 64)
    expect_firmware(caps, artifact_sha256="a" * 64, build="b" * 16)
    with pytest.raises(WrongFirmware, match=r"aaaaaaaa.*cccccccc"):
        expect_firmware(caps, artifact_sha256="c" * 64)
    with pytest.raises(WrongFirmware, match=r"bbbbbbbb.*cccccccc"):
        expect_firmware(caps, artifact_sha256="a" * 64, build="c" * 16)


def test_a_newer_protocol_is_refused_and_newer_fields_are_kept(connect: Connect) -> None:
    with pytest.raises(ProtocolNewer, match="protocol 2"):
        connect(caps={"proto": 2}).caps()
    assert connect(caps={"colour": "red"}).caps().extra == {"colour": "red"}


def test_a_lost_measurement_is_named_and_not_repeated(connect: Connect) -> None:
    device = connect('drop:"i":1,', "corrupt:window")
    bench = device.bench(3, 1)
    assert bench.lost == ("window", "rep 1")
    assert [rep.index for rep in bench.reps] == [0, 2]
    assert bench.window is None
    assert [sent.data for sent in device.log.sent] == [b"bench 3 1%"]
    layers = connect('drop:"op","r":1,"i":2').layers(2)
    assert layers.lost == ("op 2 of repetition 1",)
    assert len(layers.counts) == 5


def test_what_only_asks_is_asked_again(connect: Connect) -> None:
    device = connect("corrupt:caps", "drop:mem", 'drop:"out"', 'drop:"tensor","i":1')
    assert device.caps().ops == 3
    assert device.mem().arena_bytes == 2048
    assert len(device.kat(tensors=True).tensors) == 3


def test_a_tensor_that_the_board_does_not_have_is_not_a_loss(connect: Connect) -> None:
    nowhere = [f'drop:"tensor","i":1#{nth}' for nth in (1, 2, 3)]
    assert [item.op for item in connect(*nowhere).kat(tensors=True).tensors] == [0, 2]


def test_what_stays_lost_is_an_error(connect: Connect) -> None:
    device = connect(*[f"drop:mem#{nth}" for nth in (1, 2, 3)])
    with pytest.raises(RecordLost, match="mem"):
        device.mem()


def test_a_reset_in_the_middle(connect: Connect) -> None:
    device = connect('reset:"i":1,')
    with pytest.raises(DeviceReset, match="bench 3 1"):
        device.bench(3, 1)
    assert device.bench(1, 1).lost == ()


def test_a_fault_in_the_middle_is_decoded(connect: Connect) -> None:
    device = connect('fault:"i":1,')
    with pytest.raises(DeviceFault, match=r"usage fault at pc 0x00001234.*undefined instruction"):
        device.bench(3, 1)
    assert device.mem().arena_bytes == 2048


def test_silence_tells_how_far_it_came(connect: Connect) -> None:
    with pytest.raises(DeviceSilent, match="did not answer 'caps' within"):
        connect("silence:caps").caps()
    with pytest.raises(DeviceSilent, match=r"60 s in its answer to 'bench 3 1', after 4 lines"):
        connect('silence:"i":1,').bench(3, 1)


def test_babble_in_the_middle_ends_by_the_deadline_and_at_the_start_at_once(
    connect: Connect,
) -> None:
    with pytest.raises(DeviceBabble, match="no line of the protocol"):
        connect("babble:caps").caps()
    slow = Device(Script(endless=b"\xfe\x80"))
    with pytest.raises(DeviceBabble, match="no line of the protocol"):
        slow.name()


def test_noise_after_the_first_lines_of_an_answer_is_babble_at_once() -> None:
    line = Script(b"m-warmup-start-1\r\nr-noise\r\n", endless=b"\xfe\n\x80r-\xfe" * 200)
    with pytest.raises(DeviceBabble, match="in the middle of the answer to 'bench 2 1'"):
        Device(line).bench(2, 1)
    assert line.time_s < 60, "the deadline of a window is half an hour"


def test_talk_without_end_is_late() -> None:
    device = Device(Script(endless=b"m-warmup-done\r\n"))
    with pytest.raises(DeviceLate, match="did not end within 10 s"):
        device.name()


def test_gone_is_gone(connect: Connect) -> None:
    with pytest.raises(DeviceEnded):
        connect('vanish:"i":1,').bench(3, 1)


def test_no_timing_is_refused_with_its_number(connect: Connect) -> None:
    with pytest.raises(DeviceRefused, match="no timing") as caught:
        connect(timing=False).bench(1, 1)
    assert caught.value.number == error_number("no-timing")


@pytest.mark.parametrize(
    "junk",
    [b"", b"bench 3", b"\x00\xff" * 9, b"m-timestamp-mode-performance\r\n"],
    ids=["booting", "half a command", "noise", "half a banner"],
)
def test_sync_finds_the_start(connect: Connect, junk: bytes) -> None:
    device = connect(boot=False)
    if junk:
        device.wait_boot()
        device._transport.write(junk)
    device.sync()
    assert device.name() == "npubench"
    assert device.mem().arena_bytes == 2048


def test_sync_with_something_else() -> None:
    with pytest.raises(RecordBroken, match="hello"):
        Device(Script(*[b"", b"hello\r\nm-ready\r\n"] * 4)).sync()
    with pytest.raises(DeviceSilent):
        Device(Script()).sync()


def test_a_faster_line_is_tried_and_given_up() -> None:
    board = SimulatedBoard()
    with SimulatedTransport(board) as transport:
        device = Device(transport)
        device.wait_boot()
        assert device.set_baud(921_600, back_to=115_200)
        assert transport.baud == 921_600
        assert not device.set_baud(4_000_000, back_to=921_600)
    deaf = [parse_mishap("drop:m-name"), parse_mishap("drop:m-ready#3")]
    with FaultyTransport(transport, deaf) as line:
        device = Device(line)
        device.wait_boot()
        assert not device.set_baud(921_600, back_to=115_200)
        assert transport.baud == 115_200
        assert device.name() == "npubench"


def test_broken_records_are_named() -> None:
    from npubench.wire.record import format_record

    reply = format_record({"t": "mem", "stack_used": True}) + b"\r\nm-ready\r\n"
    with pytest.raises(RecordBroken, match="True as 'stack_used', not a whole number"):
        Device(Script(reply)).mem()


def test_a_fault_without_a_banner_is_still_a_fault() -> None:
    from npubench.wire.faulty import FAULT_LINE

    with pytest.raises(DeviceFault, match="UNDEFINSTR"):
        Device(Script(FAULT_LINE + b"\r\n")).mem()


@pytest.mark.parametrize("with_sent", [True, False])
def test_the_collector_runs_again_on_the_saved_bytes(connect: Connect, with_sent: bool) -> None:
    def collect(device: Device) -> tuple[object, ...]:
        device.wait_boot()
        caps, seed = device.caps(), device.seed(5)
        bench, kat = device.bench(4, 1), device.kat(tensors=True)
        return caps, seed, bench, kat, device.mem()

    device = connect('drop:"i":2,', "corrupt:caps", boot=False)
    before = collect(device)
    sent = read_sent(format_sent(device.log.sent)) if with_sent else None
    replayed = Device(ReplayTransport(device.log.received, sent))
    assert collect(replayed) == before
    if with_sent:
        with pytest.raises(DeviceEnded, match="ends before"):
            replayed.mem()
        other = Device(ReplayTransport(device.log.received, sent))
        other.wait_boot()
        with pytest.raises(DeviceEnded, match=r"sent b'caps%' where b'mem%'"):
            other.mem()


def test_a_session_that_failed_fails_again_on_its_bytes(connect: Connect) -> None:
    device = connect('silence:"i":1,')
    with pytest.raises(DeviceSilent) as first:
        device.bench(3, 1)
    again = Device(ReplayTransport(device.log.received, device.log.sent))
    again.wait_boot()
    with pytest.raises((DeviceSilent, DeviceEnded)) as second:
        again.bench(3, 1)
    assert second.value.exit_code == first.value.exit_code


def test_the_log_is_written_as_it_happens(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    with (
        (folder / "serial.bin").open("wb") as received,
        (folder / "sent.jsonl").open("w") as sent,
        SimulatedTransport(SimulatedBoard()) as transport,
    ):
        log = SessionLog(received_file=received, sent_file=sent)
        device = Device(transport, log=log, timeouts=Timeouts())
        device.wait_boot()
        device.name()
        assert (folder / "serial.bin").read_bytes() == log.received
        assert read_sent((folder / "sent.jsonl").read_text()) == log.sent
    assert log.received.endswith(b"m-name-dut-[npubench]\r\nm-ready\r\n")


def test_mishaps_are_written_as_kind_match_nth() -> None:
    mishap = parse_mishap('drop:"t":"rep"#2')
    assert (mishap.kind, mishap.match, mishap.nth) == (MishapKind.DROP, '"t":"rep"', 2)
    from npubench.core.errors import UsageError

    with pytest.raises(UsageError, match="not a mishap"):
        parse_mishap("explode:caps")


def test_an_empty_line_is_silence_and_half_a_line_is_babble() -> None:
    with pytest.raises(DeviceSilent, match="did not answer"):
        Device(Script(b"\r\n")).name()
    with pytest.raises(DeviceBabble, match="half"):
        Device(Script(b"half a li")).name()

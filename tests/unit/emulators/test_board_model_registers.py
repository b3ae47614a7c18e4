"""Register models: every file is sound, every mistake is named, every rule does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from npubench.boards import board_ids, load_board
from npubench.core.errors import ConfigError, UsageError
from npubench.emulators.board_model import description
from npubench.emulators.board_model.description import (
    RegisterModel,
    has_model,
    load_registers,
    on_model,
    parse_field,
)
from npubench.emulators.board_model.peripherals import LEAP, WAITING, Peripherals
from support.emitted import make_board

BASE = 0x40000000


def make(**block: Any) -> RegisterModel:
    return RegisterModel.model_validate(
        {
            "schema": 1,
            "console": {"transmit": "uart.0x00", "receive": "uart.0x00"} | block.pop("console", {}),
            "markers": block.pop("markers", None),
            "reset": block.pop("reset_field", None),
            "block": [
                {"name": "uart", "base": 0x50000000, "size_bytes": 0x10},
                {"name": "block", "base": BASE, "size_bytes": 0x100} | block,
            ],
        }
    )


def powered(**block: Any) -> Peripherals:
    return Peripherals(make(**block), lambda: 7)


@pytest.mark.parametrize("name", [n for n in board_ids() if has_model(load_board(n))])
def test_every_register_model_is_sound(name: str) -> None:
    board = load_board(name)
    model = load_registers(board)
    assert board.kind == "physical"
    assert model.notes, "say what the model leaves out"
    assert model.console.needs, "a console that needs nothing finds no mistake"
    assert (model.markers is None) == (board.markers is None)
    assert model.markers is None or len(model.markers.codes) == len(board.markers.codes)  # type: ignore[union-attr]


def test_registers_keep_what_is_written_in_any_width() -> None:
    peripherals = powered()
    peripherals.write(BASE + 8, 4, 0x11223344)
    peripherals.write(BASE + 9, 1, 0xAB)
    peripherals.write(BASE + 10, 2, 0xCDEF)
    assert peripherals.read(BASE + 8, 4) == 0xCDEFAB44
    assert peripherals.read(BASE + 9, 1) == 0xAB


def test_ready_bits_follow_what_was_written() -> None:
    peripherals = powered(reads=["0x00[25] = 0x00[24]", "0x08[3:2] = 0x08[1:0]", "0x0C[0] = 1"])
    assert peripherals.read(BASE, 4) == 0
    peripherals.write(BASE, 4, 1 << 24)
    peripherals.write(BASE + 8, 4, 3)
    assert peripherals.read(BASE, 4) == 3 << 24
    assert peripherals.read(BASE + 8, 4) == 0b1111
    assert peripherals.read(BASE + 12, 4) == 1


def test_one_hot_and_inverted_fields() -> None:
    peripherals = powered(reads=["0x04 = one-hot 0x00[1:0]", "0x08[3:0] = not 0x00[3:0]"])
    peripherals.write(BASE, 4, 2)
    assert peripherals.read(BASE + 4, 4) == 4
    assert peripherals.read(BASE + 8, 4) == 0b1101


def test_set_clear_toggle_and_the_two_halves() -> None:
    peripherals = powered(
        set={"0x10": "0x00"},
        clear={"0x14": "0x00"},
        toggle={"0x18": "0x00"},
        set_clear={"0x1C": "0x00"},
    )
    peripherals.write(BASE + 0x10, 4, 0b1110)
    peripherals.write(BASE + 0x14, 4, 0b0010)
    peripherals.write(BASE + 0x18, 4, 0b0101)
    assert peripherals.read(BASE, 4) == 0b1001
    peripherals.write(BASE + 0x1C, 4, 0b0010 | 0b1000 << 16)
    assert peripherals.read(BASE, 4) == 0b0011


def test_atomic_aliases() -> None:
    peripherals = powered(aliases="toggle-set-clear", reset={"0x00": 0b0110})
    peripherals.write(BASE + 0x2000, 4, 0b0001)
    peripherals.write(BASE + 0x3000, 4, 0b0100)
    peripherals.write(BASE + 0x1000, 4, 0b1010)
    assert peripherals.read(BASE, 4) == 0b1001


def test_a_gated_block_is_dead() -> None:
    peripherals = powered(needs=["uart.0x04[3] = 1"], reset={"0x00": 5})
    peripherals.write(BASE, 4, 9)
    assert peripherals.read(BASE, 4) == 0
    peripherals.write(0x50000004, 4, 8)
    assert peripherals.read(BASE, 4) == 5


def test_the_receiver_says_what_waits() -> None:
    peripherals = powered(console={"received": ["uart.0x04[5]"], "empty": ["uart.0x04[4]"]})
    assert peripherals.read(0x50000004, 4) == 1 << 4
    peripherals.received.extend(b"ab")
    assert peripherals.read(0x50000004, 4) == 1 << 5
    assert [peripherals.read(0x50000000, 4) for _ in range(2)] == list(b"ab")
    assert peripherals.read(0x50000004, 4) == 1 << 4


def test_pins_are_seen_only_as_outputs() -> None:
    peripherals = powered(
        markers={
            "timestamp": "block.0x00[0]",
            "codes": ["block.0x00[1]"],
            "needs": ["block.0x04 = 1"],
        }
    )
    peripherals.write(BASE, 4, 3)
    peripherals.write(BASE + 4, 4, 1)
    peripherals.write(BASE, 4, 1)
    assert [(e.at_instructions, e.timestamp, e.code) for e in peripherals.edges] == [
        (7, None, None),
        (7, True, 1),
        (7, True, 0),
    ]


def test_a_reset_register_asks_for_a_reset() -> None:
    peripherals = powered(reset_field="block.0x20[31]")
    peripherals.write(BASE + 0x20, 4, 1)
    assert not peripherals.wants_reset
    peripherals.write(BASE + 0x20, 4, 1 << 31)
    assert peripherals.wants_reset
    peripherals.reset()
    assert not peripherals.wants_reset
    assert peripherals.read(BASE + 0x20, 4) == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reads": ["0x00[3"]}, "not a field"),
        ({"reads": ["0x00[3:7] = 1"]}, "out of order"),
        ({"needs": ["0x00[3]"]}, "not a condition"),
        ({"reset": {"24": 1}}, "pattern"),
        ({"speed": 4}, "Extra inputs"),
        ({"console": {"received": ["nobody.0x00[1]"]}}, "no block 'nobody'"),
        ({"name": "uart"}, "same name"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        make(**change)


def test_a_file_with_mistakes_names_them_with_their_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "registers.toml"
    monkeypatch.setattr(description, "registers_path", lambda _: path)
    with pytest.raises(UsageError, match="has no model"):
        on_model(make_board())
    path.write_text('schema = 1\nblock = []\n[console]\ntransmit = "a.0x0"\nrecieve = "a.0x0"\n')
    with pytest.raises(ConfigError, match=r"console\.receive: .*console\.recieve"):
        load_registers(make_board())
    path.write_text("schema = ")
    with pytest.raises(ConfigError, match="not TOML"):
        load_registers(make_board())


def test_a_board_on_its_model_counts_instructions() -> None:
    board = on_model(load_board("nucleo-l4r5zi"))
    assert (board.kind, board.is_model, board.instructions_per_count) == ("emulated", True, 1.0)
    assert not load_board("nucleo-l4r5zi").is_model
    assert not load_board("qemu-m4").is_model


def test_fields_default_to_the_whole_register() -> None:
    field = parse_field("rcc.0x10", "")
    assert (field.block, field.offset, field.low, field.mask) == ("rcc", 0x10, 0, 0xFFFFFFFF)


def test_a_flag_in_the_receive_register_says_whether_its_byte_is_one() -> None:
    """SiFive's UART has both in one word: reading takes the byte, asking in vain counts."""
    peripherals = powered(console={"receive": "uart.0x04", "empty": ["uart.0x04[31]"]})
    assert [peripherals.read(0x50000004, 4) for _ in range(3)] == [1 << 31] * 3
    assert peripherals.idle_polls == 3
    peripherals.received.extend(b"A\0")
    assert peripherals.read(0x50000004, 4) == ord("A")
    assert peripherals.read(0x50000004, 4) == 0
    assert peripherals.idle_polls == 0
    assert peripherals.read(0x50000004, 4) == 1 << 31


def test_a_timer_stands_for_the_cycle_counter() -> None:
    """It reads instructions and what was slept; a wait that does nothing but ask it is short."""
    model = make().model_copy(update={"counter": "block.0x24"})
    now = [100]
    peripherals = Peripherals(model, lambda: now[0])
    looks: list[int] = []
    peripherals.on_count = lambda: looks.append(now[0])
    assert peripherals.read(BASE + 0x24, 4) == 100
    now[0] = 5000
    assert peripherals.read(BASE + 0x24, 4) == 5000
    assert looks == [100, 5000]
    for _ in range(WAITING + 1):
        now[0] += 4
        ahead = peripherals.read(BASE + 0x24, 4) - now[0]
    assert ahead == LEAP
    now[0] += 1000
    assert peripherals.read(BASE + 0x24, 4) == now[0] + LEAP
    peripherals.slept = lambda: 12
    assert peripherals.read(BASE + 0x24, 4) == now[0] + LEAP + 12

"""Values for people: exact where they are whole, safe where they are foreign."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.core import format as fmt
from npubench.core.evidence import Evidence

G = fmt.GROUP
N = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (999, "999"),
        (1_000, f"1{G}000"),
        (43_039_868, f"43{G}039{G}868"),
        (-1_234, f"-1{G}234"),
        (12.5, "12.5"),
        (0.25, "0.250"),
        (3.0, "3"),
        (float("nan"), "nan"),
    ],
)
def test_counts_are_exact_and_grouped(value: float | None, text: str) -> None:
    assert fmt.count(value) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_a_count_loses_nothing(value: int) -> None:
    assert int(fmt.count(value).replace(G, "")) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, f"0{N}B"),
        (1023, f"1023{N}B"),
        (1024, f"1.0{N}KiB"),
        (52_400, f"51.2{N}KiB"),
        (1024 * 1024, f"1.00{N}MiB"),
        (-2048, f"-2.0{N}KiB"),
    ],
)
def test_sizes(value: int | None, text: str) -> None:
    assert fmt.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.1449, "2.14×"),
        (12.345, "12.3×"),
        (123.4, "123×"),
        (0.7104, "0.710×"),
        (1234.0, f"1{G}234×"),
        (0.01234, "0.0123×"),
        (None, "–"),
        (float("inf"), "–"),
    ],
)
def test_ratios_have_three_digits(value: float | None, text: str) -> None:
    assert fmt.ratio(value) == text


def test_a_share_above_zero_is_never_shown_as_zero() -> None:
    assert fmt.percent(0.0) == f"0.0{N}%"
    assert fmt.percent(0.0004) == f"<0.1{N}%"
    assert fmt.percent(0.331) == f"33.1{N}%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (120e6, f"120{N}MHz"),
        (32_768, f"32.8{N}kHz"),
        (0, f"0{N}Hz"),
        (1.5e-3, f"1.50{N}mHz"),
        (None, "–"),
    ],
)
def test_si(value: float | None, text: str) -> None:
    assert fmt.si(value, "Hz") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0214, f"21{N}ms"), (1.421, f"1.42{N}s"), (12.34, f"12.3{N}s"), (65, f"1{N}min{N}05{N}s")],
)
def test_durations(value: float, text: str) -> None:
    assert fmt.duration(value) == text


def test_units_differ_in_name_where_they_differ_in_kind() -> None:
    assert fmt.quantity(5, "us") != fmt.quantity(5, "us_modelled")
    assert len(set(fmt.UNIT_SHORT.values())) == len(fmt.UNIT_SHORT)


def test_every_evidence_has_words() -> None:
    for kind in Evidence:
        assert fmt.evidence_words(kind).startswith(f"{kind}: ")


@given(st.text())
def test_foreign_text_cannot_steer_a_terminal(text: str) -> None:
    shown = fmt.printable(text, 40)
    assert len(shown) <= 40
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066" for c in shown)


def test_ordinary_text_is_left_alone() -> None:
    assert fmt.printable("größe_µ-1.tflite 漢字") == "größe_µ-1.tflite 漢字"
    assert fmt.printable("\x1b[31mred") == "\ufffd[31mred"
    assert fmt.printable("x" * 10_000, 10) == "x" * 9 + "…"

"""A foreign image on its part's model: it answers, its window is exact, what it waits for is told.

The image is built here: an MLPerf Tiny look-alike that receives by interrupt, runs its commands
inside the handler, and takes its time stamps from a timer, as published ones do.
"""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.connect.board import open_board
from npubench.core.errors import DeviceError, UsageError
from npubench.core.progress import Silent
from npubench.core.seeded import seeded_bytes
from npubench.emulators.board_model.__main__ import BOOT_LIMIT_S
from npubench.emulators.board_model.foreign_board import ForeignBoard
from npubench.farm.local import LocalExecutor
from npubench.referee.identify import identify
from npubench.referee.run import judge_image, judge_images
from npubench.referee.session import judge

pytestmark = pytest.mark.emulated
LOOP_INSTRUCTIONS = 3  # mul, subs, bne
SOURCE = r"""
#include <stdint.h>
#define REG(a) (*(volatile uint32_t *)(a))
#define UART 0x40008000u
#define TIM5 0x40000C00u
#ifndef TIME
#define TIME (TIM5 + 0x24)
#endif
extern uint32_t stack_top[];
static char line[128]; static volatile unsigned used, filled; static uint8_t buffer[512];
static void put(char c) { while (!(REG(UART + 0x1C) & 128)) {} REG(UART + 0x28) = (uint8_t)c; }
static void say(const char *s) { while (*s) put(*s++); }
static void number(uint32_t v) { char d[12]; int n = 0;
  do { d[n++] = (char)('0' + v % 10); v /= 10; } while (v); while (n) put(d[--n]); }
__attribute__((noinline)) static void infer(uint32_t n) {
  __asm volatile("1: mul r3, %0, %0\n subs %0, #1\n bne 1b" : "+l"(n) : : "r3", "cc"); }
static int same(const char *a, const char *b) { while (*b) if (*a++ != *b++) return 0; return 1; }
static void command(void) {
  if (same(line, "name")) say("m-name-dut-[test]\r\n");
  else if (same(line, "profile")) say("m-profile-[x]\r\nm-model-[kws01]\r\n");
  else if (same(line, "db load")) { filled = 0; say("m-[Expecting]\r\n"); }
  else if (same(line, "db ")) { for (const char *p = line + 3; *p && p[1]; p += 2) {
      unsigned v = 0; for (int i = 0; i < 2; i++) v = v * 16 + (unsigned)(p[i] <= '9' ? p[i] - '0'
      : (p[i] | 32) - 'a' + 10); buffer[filled++ & 511] = (uint8_t)v; } }
  else if (same(line, "infer ")) {
    uint32_t t = REG(TIME); say("m-lap-us-"); number(t); say("\r\n");
    for (int i = line[6] - '0'; i; i--) infer(LOOPS);
    t = REG(TIME); say("m-lap-us-"); number(t); say("\r\nm-results-[0.500,0.250]\r\n"); }
  say("m-ready\r\n"); }
void receive(void) { if (REG(UART + 0x1C) & 32) { char c = (char)REG(UART + 0x24);
    if (c == '%') { line[used] = 0; used = 0; command(); }
    else if (used < 127) line[used++] = c; } }
void start(void) {
  used = filled = 0;
  REG(0x40021000) |= 1u << 24; while (!(REG(0x40021000) & 1u << 25)) {}
  REG(0x40007000) = 0x200; REG(0x40022000) = 0x705; WAIT
  REG(TIM5) = 1; REG(UART) = 0x2D; REG(0xE000E108) = 1u << 6;
  say("m-init-done\r\nm-ready\r\n"); for (;;) {} }
__attribute__((section(".vectors"), used)) static const void *const vectors[16 + 71] = {
  [0] = stack_top, [1] = (void *)start, [16 + 70] = (void *)receive };
"""
LINK = "SECTIONS { . = 0x08000000; .t : { *(.vectors) *(.text*) *(.rodata*) } . = 0x20000000; "
LINK += ".b (NOLOAD) : { *(.data*) *(.bss*) *(COMMON) } stack_top = 0x20010000; }"


def build(
    folder: Path, *, loops: int = 1000, wait: str = "", elf: bool = False, time: str = ""
) -> Path:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    (folder / "image.c").write_text(SOURCE)
    (folder / "link.ld").write_text(LINK)
    flags = [
        "-mcpu=cortex-m4",
        "-mthumb",
        "-O2",
        "-ffreestanding",
        "-nostdlib",
        "-Wl,--build-id=none",
        *([f"-DTIME={time}"] if time else []),
    ]
    program = folder / "image.elf"
    subprocess.run(
        ["arm-none-eabi-gcc", *flags, f"-DLOOPS={loops}", f"-DWAIT={wait}", "-T", "link.ld",
         "-o", program.name, "image.c"],
        cwd=folder, check=True,
    )  # fmt: skip
    if elf:
        return program
    for suffix, form in ((".bin", "binary"), (".hex", "ihex")):
        target = program.with_suffix(suffix)
        subprocess.run(["arm-none-eabi-objcopy", "-O", form, program, target], check=True)
    return program.with_suffix(".bin")


def test_an_image_is_found_out_runs_and_its_window_is_exact(tmp_path: Path) -> None:
    """Two builds that differ by 1000 turns of a loop differ by its instructions, to the last."""
    counted = []
    for loops in (1000, 2000):
        folder = tmp_path / str(loops)
        folder.mkdir()
        verdict = judge_image(build(folder, loops=loops), board_id=None, references=())
        assert (verdict.status, verdict.board) == ("ok", "nucleo-l4r5zi"), verdict.reason
        assert (verdict.model, verdict.bounded_by) == ("kws01", "timer")
        assert verdict.instructions is not None
        counts = verdict.details["counts"]
        assert counts["mul"] == loops
        assert counts["if_taken"] == loops  # loops - 1 turns, and the turn of the outer loop
        assert verdict.golden.startswith("unavailable: no reference model")
        counted.append(verdict.instructions)
    assert counted[1] - counted[0] == 1000 * LOOP_INSTRUCTIONS


def test_a_window_is_bounded_by_reads_of_the_cycle_counter(tmp_path: Path) -> None:
    """The core's own counter is read without the board's registers: its reads bound as a timer's
    do, to the same instruction."""
    counted = []
    for name, time in (("timer", ""), ("cycles", "0xE0001004u")):
        folder = tmp_path / name
        folder.mkdir()
        verdict = judge_image(build(folder, time=time), board_id="nucleo-l4r5zi", references=())
        assert (verdict.status, verdict.bounded_by) == ("ok", "timer"), verdict.reason
        counted.append(verdict.instructions)
    assert counted[0] == counted[1]


def test_hex_elf_and_bin_are_one_image(tmp_path: Path) -> None:
    build(tmp_path)
    found = judge_images([tmp_path], board_id=None, references=(), reporter=Silent())
    assert [item.path.suffix for item in found] == [".bin", ".elf", ".hex"]
    assert len({item.instructions for item in found}) == 1
    assert {item.status for item in found} == {"ok"}
    json.dumps([item.document() for item in found])


def test_an_image_that_is_played_elsewhere_is_judged_alike(tmp_path: Path) -> None:
    """In the order of the images, two of one content played once; a worker sees no reference."""
    image = build(tmp_path)
    twin = tmp_path / "twin.bin"
    twin.write_bytes(image.read_bytes())
    noise = tmp_path / "noise.bin"
    noise.write_bytes(bytes(range(256)) * 16)
    paths = [noise, image, twin]
    here = [judge_image(path, board_id=None, references=()) for path in paths]
    there = judge_images(
        paths, board_id=None, references=(), reporter=Silent(), executor=LocalExecutor(1)
    )
    assert [item.document() for item in there] == [item.document() for item in here]
    assert [item.status for item in there] == ["refused", "ok", "ok"]


def test_what_is_polled_in_vain_is_named(tmp_path: Path) -> None:
    image = build(tmp_path, wait="while(!(REG(0x40021060)&4)){}")
    verdict = judge_image(image, board_id=None, references=())
    assert verdict.status == "refused"
    assert "waits in vain" in str(verdict.reason)
    assert "0x40021060" in str(verdict.reason)
    assert verdict.details["polled_in_vain"][0]["address"] == 0x40021060


def test_an_image_of_noise_and_one_for_another_address_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.bin"
    noise.write_bytes(bytes((7 * n * n + 13 * n) >> 3 & 0xFF for n in range(4096)))
    with pytest.raises(UsageError, match="no board fits"):
        identify(noise)
    noise.write_bytes(seeded_bytes(1, 65_536))
    with pytest.raises(UsageError, match=r"look like noise \(8.00 bits each\): it is encrypted"):
        identify(noise)
    verdict = judge_image(noise, board_id=None, references=())
    assert (verdict.status, verdict.board) == ("refused", None)
    verdict = judge_image(build(tmp_path), board_id="nucleo-h7a3zi-q", references=())
    assert verdict.status == "refused"
    assert "the registers that it names are nucleo-l4r5zi's" in str(verdict.reason)


def test_an_image_for_another_address_is_named(tmp_path: Path) -> None:
    moved = tmp_path / "moved.hex"
    command = ["arm-none-eabi-objcopy", "-O", "ihex", "--change-addresses", "0x18000000"]
    subprocess.run([*command, build(tmp_path, elf=True), moved], check=True)
    with pytest.raises(UsageError, match="lies at 0x20000000: it is for another address"):
        identify(moved)


def test_classes_add_up_to_all_instructions(tmp_path: Path) -> None:
    model = ForeignBoard(load_board("nucleo-l4r5zi"), build(tmp_path))
    before, first = model.instructions, model.tally()
    model.run(50_000)
    counts = model.tally() - first
    names = list(counts)
    classes = names[: names.index("ldm_words")]
    assert sum(counts[name] for name in classes) == model.instructions - before


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        pytest.param("for(;;){}", "the boot does not end", id="silent-for-ever"),
        pytest.param('__asm volatile("wfi");', "without m-ready", id="asleep-for-ever"),
        pytest.param('__asm volatile(".short 0xde00");', "lockup", id="undefined-instruction"),
        pytest.param("REG(0x60000000)=1;", "lockup", id="memory-that-is-not-there"),
        pytest.param('__asm volatile("bkpt 0xab");', "interrupt 7", id="asks-for-a-file"),
        pytest.param("REG(0x08000000)=1;", "lockup", id="writes-to-its-flash"),
        pytest.param("((void(*)(void))0x20000001)();", "", id="runs-into-noise"),
    ],
)
def test_a_bad_image_ends_with_its_reason(wait: str, words: str, tmp_path: Path) -> None:
    image = build(tmp_path, wait=wait)
    found = judge(load_board("nucleo-l4r5zi"), image, seed=1, limit_s=5.0, boot_limit_s=0.5)
    assert found["status"] == "refused"
    assert words in found["reason"]


def test_the_time_of_an_image_is_up_within_twenty_seconds() -> None:
    assert BOOT_LIMIT_S < 20
    assert inspect.signature(judge_image).parameters["boot_limit_s"].default < 20


def test_an_image_of_somebody_elses_is_booted_and_talked_to(tmp_path: Path) -> None:
    board = load_board("nucleo-l4r5zi")
    with open_board(
        board, build(tmp_path), port=None, reporter=Silent(), job="image", foreign=True
    ) as target:
        assert target.device.banner == ("m-init-done",)
        target.transport.write(b"name%")
        said = b""
        while b"m-ready" not in said:
            said += target.transport.read(10.0)
        assert b"m-name-dut-[test]" in said


def test_what_a_booted_image_waits_for_is_said(tmp_path: Path) -> None:
    image = build(tmp_path, wait="while(!(REG(0x40021060)&4)){}")
    with (
        pytest.raises(DeviceError, match="waits in vain: 0x40021060"),
        open_board(
            load_board("nucleo-l4r5zi"), image, port=None, reporter=Silent(), job="x", foreign=True
        ),
    ):
        pass

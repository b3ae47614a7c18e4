"""The code that ADI's tool generates, played on the model of the accelerator without a processor:
its stores in their order, then its known answer against the memories.

Source: ai8x-synthesis, izer/apbaccess.py, izer/kernels.py, izer/kbias.py and izer/load.py (the few
forms in which stores are written). What has another form is refused, not passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ResultError
from npubench.npu.max7800x.accelerator import Accelerator

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|-?\d+")
_DEFINE = re.compile(r"#define\s+(\w+)\s*\{(.*?)\}", re.DOTALL)
_ARRAY = re.compile(r"(\w+)\[\]\s*=\s*(\w+);")
_STORE = re.compile(r"\*\(\(volatile (uint32_t|uint8_t) \*\) (0x\w+)\) = (0x\w+|\d+);")
_COPY = re.compile(
    r"(memcpy_96to128|memcpy32|memcpy_8to32)\(\(uint32_t \*\) (0x\w+), (\w+), "
    r"(?:sizeof\(uint8_t\) \* )?(\d+)\);"
)
_CLEAR = re.compile(r"memset\(\(uint32_t \*\) 0x\w+, 0, \d+\);")
_WAIT = re.compile(r"while \(\(\*\(\(volatile uint32_t \*\) (0x\w+)\) & (0x\w+)\) != (0x\w+)\);")
_TEST = re.compile(
    r"if \(\(\*\(\(volatile uint32_t \*\) (0x\w+)\) & (0x\w+)\) != (0x\w+)\) return CNN_FAIL;"
)
_FED = re.compile(r"0x(\w+)\)\)? = \*in(\d+)\+\+")
_FRAME = re.compile(r"i < (\d+)")
HEADERS = ("weights.h", "sampledata.h", "sampleoutput.h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How a known answer compared: words that were equal and that were not; ``first``: address,
    expected and found of the first that was not."""

    equal: int
    unequal: int
    first: tuple[int, int, int] | None
    layers: int


class Generated:
    """The generated files of ``folder``. Raises ResultError for a form that is not known."""

    def __init__(self, folder: Path) -> None:
        self._code = (folder / "cnn.c").read_text(encoding="utf-8")
        self._main = (folder / "main.c").read_text(encoding="utf-8")
        defines: dict[str, list[int]] = {}
        for header in HEADERS:
            path = folder / header
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            for match in _DEFINE.finditer(text):
                defines[match[1]] = [int(word, 0) for word in _NUMBER.findall(match[2])]
        self._answer = defines.get("SAMPLE_OUTPUT", [])
        self._arrays = {
            match[1]: defines[match[2]]
            for match in _ARRAY.finditer(self._code + self._main)
            if match[2] in defines
        }

    def play(self, accelerator: Accelerator) -> Replayed:
        """Initialise, load, run once, compare."""
        self._statements(accelerator, _body(self._code, "cnn_init"))
        weights = _body(self._code, "cnn_load_weights")
        if "len = *ptr++" in weights:
            self._load_blocks(accelerator, express="uint8_t" in weights)
        else:
            self._statements(accelerator, weights)
        for function in ("cnn_load_bias", "cnn_configure"):
            self._statements(accelerator, _body(self._code, function))
        load = _body(self._main, "load_input")
        fed = _FED.findall(load)
        if not fed:
            self._statements(accelerator, load)
        self._statements(accelerator, _body(self._code, "cnn_start"))
        if fed:
            frame = _FRAME.search(load)
            if frame is None:
                raise ResultError("load_input feeds a FIFO in a form that is not known")
            for index in range(int(frame[1])):
                for address, source in fed:
                    accelerator.write(int(address, 16), 4, self._arrays[f"input_{source}"][index])
        return self._compared(accelerator)

    def _statements(self, accelerator: Accelerator, body: str) -> None:
        _play(accelerator, body, self._arrays)

    def _load_blocks(self, accelerator: Accelerator, *, express: bool) -> None:
        """The other form of weights: address, count, words, up to address 0."""
        words, at = self._arrays["kernels"], 0
        while words[at]:
            address, count = words[at : at + 2]
            if express:
                accelerator.write(address | 1, 1, 1)
            for index in range(count):
                accelerator.write(address + 4 * index, 4, words[at + 2 + index])
            at += 2 + count

    def _compared(self, accelerator: Accelerator) -> Replayed:
        equal = unequal = at = 0
        first = None
        while at + 2 < len(self._answer) and self._answer[at]:
            address, mask, count = self._answer[at : at + 3]
            for index in range(count):
                place, expected = address + 4 * index, self._answer[at + 3 + index]
                found = accelerator.read(place, 4) & mask
                if found == expected:
                    equal += 1
                    continue
                unequal += 1
                first = first or (place, expected, found)
            at += 3 + count
        return Replayed(
            equal=equal,
            unequal=unequal,
            first=first,
            layers=len(accelerator.layers),
        )


def programmed(code: str, part: str) -> Accelerator:
    """The accelerator of ``part`` after the generated ``code`` has set it up and started it: its
    layers are decoded, nothing is computed. Raises ResultError for a form that is not known, and
    AcceleratorStopped for what the model does not know."""
    accelerator = Accelerator(part, computes=False)
    for function in ("cnn_init", "cnn_configure", "cnn_start"):
        _play(accelerator, _body(code, function), {})
    if not accelerator.layers:
        raise ResultError("the generated code starts no layers")
    return accelerator


def _body(text: str, name: str) -> str:
    match = re.search(rf"\b{name}\([^)]*\)\s*\{{(.*?)\n\}}", text, re.DOTALL)
    if match is None:
        raise ResultError(f"the generated code has no {name}")
    return match[1]


def _play(accelerator: Accelerator, body: str, arrays: Mapping[str, list[int]]) -> None:
    for line in body.splitlines():
        words = line.split("//")[0].strip()
        store, copy = _STORE.match(words), _COPY.match(words)
        if store is not None:
            size = 4 if store[1] == "uint32_t" else 1
            accelerator.write(int(store[2], 16), size, int(store[3], 0))
        elif copy is not None:
            how, address, name, count = copy.groups()
            for place, word in _copied(how, int(address, 16), arrays[name], int(count)):
                accelerator.write(place, 4, word)
        elif wait := _WAIT.match(words):
            if accelerator.read(int(wait[1], 16), 4) & int(wait[2], 16) != int(wait[3], 16):
                raise ResultError(f"the generated code would wait for ever: {words}")
        elif test := _TEST.match(words):
            if accelerator.read(int(test[1], 16), 4) & int(test[2], 16) != int(test[3], 16):
                raise ResultError(f"the generated code would give up: {words}")
        elif "0x5" in words and not _CLEAR.match(words):
            raise ResultError(f"the generated code has a form that is not known: {words}")


def _copied(how: str, address: int, words: list[int], count: int) -> Iterator[tuple[int, int]]:
    """Stores (address, word) of one of the generated copies."""
    if how != "memcpy_96to128":
        yield from ((address + 4 * index, word) for index, word in enumerate(words[:count]))
        return
    for kernel in range(count):
        place = address + 16 * kernel
        for part, word in enumerate((*words[3 * kernel : 3 * kernel + 3], 0)):
            yield place + 4 * part, word

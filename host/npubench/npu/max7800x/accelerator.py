"""The accelerator as the processor's bus sees it: registers, memories, FIFOs, start and end.

A run is over as soon as it is started (with a FIFO: as soon as the last word of the input came):
the model says what comes out, and nothing of when. Layers that stream are computed whole, one
after the other; the ring buffers between them are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npubench.npu.max7800x.arithmetic import run_layer
from npubench.npu.max7800x.layout import (
    CONTROL,
    DONE,
    LAYOUTS,
    PER_QUADRANT,
    QUADRANTS,
    SHARED,
    Layout,
)
from npubench.npu.max7800x.memory import UNKNOWN, BiasMemory, DataMemory, WeightMemory
from npubench.npu.max7800x.program import AcceleratorStopped, LayerProgram, decode

ENABLE, EXPRESS, FIFO, FAST_FIFO, AVERAGE_ROUNDS, BINARY = (
    1,
    1 << 20,
    1 << 15,
    1 << 22,
    1 << 13,
    1 << 30,
)
NOT_MODELLED = {
    7: "snooping", 8: "one layer at a time", 16: "the reordering of outputs (mlator)",
    21: "simple one-bit weights", 31: "four inputs at once (quad FIFO)",
}  # fmt: skip
NO_PIPELINE = 1 << 5
"""Of the MAX78002 (izer/tornadocnn.py, CTL_PIPELINE_OFFS)."""
FIFO_STATUS, FIFO_DATA, FAST_STATUS, FAST_DATA, FAST_END = 0x4, 0x8, 0x4, 0x10, 0x18
ALWAYS_ON = 0x1000
SLACK_WORDS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Addresses of the bus that the accelerator answers."""

    base: int
    size_bytes: int


class Accelerator:
    """One accelerator of the part ``name``.

    ``undescribed``: what was written that the model does not know, in words; ``answers``: the
    quadrants that answer, a bit each; ``runs``: inferences since power-up; ``layers``: those of
    the last one. ``computes``: whether a run makes outputs; else its layers alone are decoded.
    """

    def __init__(self, name: str, *, computes: bool = True) -> None:
        self.layout: Layout = LAYOUTS[name]
        self._computes = computes
        self._control = 0
        self.undescribed: list[str] = []
        self.runs = 0
        self.layers: tuple[LayerProgram, ...] = ()
        self.answers = (1 << QUADRANTS) - 1
        self._names = self._register_names()
        self.registers: list[dict[str, int]] = [{} for _ in range(QUADRANTS)]
        self.layer_registers: list[dict[int, dict[str, int]]] = [{} for _ in range(QUADRANTS)]
        self.data = DataMemory(self.layout.memory_words)
        self.weights = WeightMemory(self.layout)
        self.biases = BiasMemory(self.layout)
        self._frame: list[list[int]] = [[] for _ in range(QUADRANTS)]
        self._waits = False

    @property
    def pipelined(self) -> bool:
        """Whether the last run was started with the pipeline of the MAX78002."""
        return self.layout.device.pll and not self._control & NO_PIPELINE

    def power_off(self, quadrants: int) -> None:
        """Of the quadrants (a bit each) registers go to zero, memories to what is unknown."""
        for quadrant in (q for q in range(QUADRANTS) if quadrants >> q & 1):
            self.registers[quadrant] = {}
            self.layer_registers[quadrant] = {}
            self.data.bytes[quadrant * SHARED : (quadrant + 1) * SHARED] = UNKNOWN
            self.weights.bytes[quadrant * PER_QUADRANT : (quadrant + 1) * PER_QUADRANT] = UNKNOWN
            self.biases.bytes[quadrant] = UNKNOWN
            self._waits = False

    def ranges(self) -> tuple[Range, ...]:
        """Where it lies."""
        layout, device = self.layout, self.layout.device
        found = [
            Range(base=layout.fifo_base, size_bytes=2 * ALWAYS_ON),
            Range(base=layout.fast_fifo_base & ~0xFFF, size_bytes=0x1000),
        ]
        for quadrant in range(QUADRANTS):
            base = device.control_base + quadrant * device.quadrant_bytes
            found += [
                Range(base=base + offset, size_bytes=size)
                for offset, size in (
                    (0, layout.register_bytes),
                    (layout.bias_offset, -(-4 * layout.bias_count // 0x1000) * 0x1000),
                    (layout.scratch_offset, layout.scratch_bytes),
                    (layout.weight_offset, PER_QUADRANT * layout.weight_bytes),
                    (layout.data_offset, SHARED * device.instance_bytes),
                )
            ]
        return tuple(found)

    # --- the bus ---------------------------------------------------------------------------------

    def read(self, address: int, size: int) -> int:
        """A load of 1, 2 or 4 bytes."""
        word = self._read_word(address & ~3)
        return word >> 8 * (address & 3) & ((1 << 8 * size) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """A store. Raises AcceleratorStopped when it starts what the model cannot do."""
        place = self._place(address)
        if place is None:
            self._write_fifo(address, value)
            return
        quadrant, offset = place
        if not self.answers >> quadrant & 1:
            return
        layout = self.layout
        weight = offset - layout.weight_offset
        if 0 <= weight < PER_QUADRANT * layout.weight_bytes:
            self._write_weight(quadrant, weight, size, value, address)
            return
        if size != 4:
            self._note(f"a store of {size} bytes at {address:#010x}")
            return
        data = offset - layout.data_offset
        if 0 <= data < SHARED * layout.device.instance_bytes:
            instance, within = divmod(data, layout.device.instance_bytes)
            if within >= layout.device.memory_bytes:
                self._note(f"a store at {address:#010x}, where no data memory is")
                return
            self.data.write_word(quadrant * SHARED + instance, within >> 2, value)
        elif 0 <= offset - layout.bias_offset < 4 * layout.bias_count:
            self.biases.bytes[quadrant, (offset - layout.bias_offset) >> 2] = value & 0xFF
        elif 0 <= offset - layout.scratch_offset < layout.scratch_bytes:
            return  # it holds rows of pixels while a layer runs
        else:
            self._write_register(quadrant, offset, value, address)

    def _place(self, address: int) -> tuple[int, int] | None:
        """Quadrant and offset in it."""
        device = self.layout.device
        offset = address - device.control_base
        if not 0 <= offset < QUADRANTS * device.quadrant_bytes:
            return None
        return divmod(offset, device.quadrant_bytes)

    def _read_word(self, address: int) -> int:
        place = self._place(address)
        layout = self.layout
        if place is None:
            return 0  # the FIFOs are never full
        quadrant, offset = place
        if not self.answers >> quadrant & 1:
            return 0
        data = offset - layout.data_offset
        if 0 <= data < SHARED * layout.device.instance_bytes:
            instance, within = divmod(data, layout.device.instance_bytes)
            if within >= layout.device.memory_bytes:
                return 0
            return self.data.read_word(quadrant * SHARED + instance, within >> 2)
        weight = offset - layout.weight_offset
        if 0 <= weight < PER_QUADRANT * layout.weight_bytes:
            processor, within = divmod(weight, layout.weight_bytes)
            return self.weights.read(quadrant * PER_QUADRANT + processor, within)
        if 0 <= offset - layout.bias_offset < 4 * layout.bias_count:
            return int(self.biases.bytes[quadrant, (offset - layout.bias_offset) >> 2])
        name = layout.global_registers.get(offset)
        if name is not None:
            return self.registers[quadrant].get(name, 0)
        found = self._names.get(offset)
        if found is None:
            self._note(f"a load at {address:#010x}, where no register is known")
            return 0
        return self.layer_registers[quadrant].get(found[1], {}).get(found[0], 0)

    def _register_names(self) -> dict[int, tuple[str, int]]:
        layout = self.layout
        names: dict[int, tuple[str, int]] = {}
        for table, count in (
            (layout.layer_registers, layout.layers),
            (layout.stream_registers, layout.stream_layers),
        ):
            for name, (base, apart) in table.items():
                names |= {base + apart * layer: (name, layer) for layer in range(count)}
        return names

    def _note(self, what: str) -> None:
        if what not in self.undescribed:
            self.undescribed.append(what)

    def _write_weight(
        self, quadrant: int, offset: int, size: int, value: int, address: int
    ) -> None:
        number, within = divmod(offset, self.layout.weight_bytes)
        processor = quadrant * PER_QUADRANT + number
        express = self.registers[quadrant].get(CONTROL, 0) & EXPRESS
        if size == 1 and within & 3 == 1 and express:
            self.weights.set_address(processor, within & ~3)
            return
        if size != 4:
            self._note(f"a store of {size} bytes at {address:#010x}")
            return
        done = (
            self.weights.express(processor, value)
            if express
            else self.weights.write(processor, within, value)
        )
        if not done:
            self._note(f"a weight at {address:#010x}, beyond processor {processor}'s memory")

    def _write_register(self, quadrant: int, offset: int, value: int, address: int) -> None:
        layout = self.layout
        name = layout.global_registers.get(offset)
        if name is None:
            found = self._names.get(offset)
            if found is None:
                self._note(f"a store at {address:#010x}, where no register is known")
                return
            self.layer_registers[quadrant].setdefault(found[1], {})[found[0]] = value
            return
        strange = value & ~layout.known[name]
        if strange:
            self._note(f"quadrant {quadrant}, {name} = {value:#010x}: bits {strange:#x}")
        self.registers[quadrant][name] = value
        if name == "test":
            self.registers[quadrant][name] = value | self._clear(quadrant, value)
        starts = name == CONTROL and value & ENABLE and not value & DONE
        if starts and value >> 9 & 3 == quadrant:
            self._start(quadrant, value)

    def _clear(self, quadrant: int, value: int) -> int:
        """What the memories' tests leave behind: zeros."""
        done = 0
        for bit, what, ends in self.layout.clears:
            if not value & bit:
                continue
            done |= ends
            processors = slice(quadrant * PER_QUADRANT, (quadrant + 1) * PER_QUADRANT)
            if what == "data":
                self.data.bytes[quadrant * SHARED : (quadrant + 1) * SHARED] = 0
            elif what == "weights":
                self.weights.bytes[processors] = 0
            elif what == "bias":
                self.biases.bytes[quadrant] = 0
            elif what == "registers":
                self.layer_registers[quadrant].clear()
        return done

    # --- input by FIFO ---------------------------------------------------------------------------

    def _write_fifo(self, address: int, value: int) -> None:
        layout = self.layout
        fast = address - layout.fast_fifo_base
        slow = address - layout.fifo_base
        if fast == FAST_DATA:
            self._push(0, value)
        elif 0 <= slow - FIFO_DATA < 4 * QUADRANTS:
            self._push((slow - FIFO_DATA) >> 2, value)
        elif not (0 <= fast < FAST_END or slow in (0, ALWAYS_ON)):
            self._note(f"a store at {address:#010x}, where no register is known")

    def _push(self, fifo: int, value: int) -> None:
        if not self._waits:
            self._note("a word for a FIFO that nobody reads")
            return
        self._frame[fifo].append(value)
        if all(len(self._frame[q]) >= self._wanted for q in self._fed):
            self._waits = False
            self._run()

    # --- running ---------------------------------------------------------------------------------

    def _start(self, master: int, control: int) -> None:
        if self.undescribed:
            raise AcceleratorStopped(
                f"the accelerator's model does not know {'; '.join(self.undescribed[:3])}",
                hint="what it knows stands in docs/vendor-npus.md",
            )
        for bit, what in NOT_MODELLED.items():
            if control >> bit & 1:
                raise AcceleratorStopped(f"the accelerator's model has not: {what}")
        self._master = master
        self._control = control
        self._program()
        self._frame = [[] for _ in range(QUADRANTS)]
        if not self._computes:
            self.runs += 1
        elif control & FIFO:
            first = self.layers[0]
            self._fed = sorted({p // PER_QUADRANT for p in first.processors})
            self._wanted = self.registers[master].get("frame_words", 0)
            self._waits = True
        else:
            self._run()

    def _program(self) -> None:
        """Decode the layers in their order."""
        count = self.registers[self._master].get("layer_count", 0)
        used = [q for q in range(QUADRANTS) if self.registers[q].get(CONTROL, 0) & ENABLE]
        last, index = count & 0xFF, count >> 8 & 0xFF
        found: list[LayerProgram] = []
        while True:
            words = {q: self.layer_registers[q].get(index, {}) for q in used}
            found.append(decode(self.layout, words, index, master=self._master))
            following = words[self._master].get("next_layer", 0)
            if following >> 8 & 1 or index == last:
                break
            index = following & 0x7F if following >> 7 & 1 else index + 1
            if len(found) > self.layout.layers:
                raise AcceleratorStopped("the layers follow one another without an end")
        self.layers = tuple(found)

    def _run(self) -> None:
        stream: DataMemory | None = None
        for at, layer in enumerate(self.layers):
            if at == 0 and self._control & FIFO:
                stream = self._feed(layer)
            source = stream if stream is not None else self.data
            after = self.layers[at + 1] if at + 1 < len(self.layers) else None
            target = self.data
            if after is not None and after.streams and not layer.is_empty:
                target = DataMemory(self._stream_words(layer))
            if not layer.is_empty:
                run_layer(
                    layer,
                    source=source,
                    target=target,
                    weights=self.weights,
                    biases=self.biases,
                    binary=bool(self._control & BINARY),
                    rounds_average=bool(self._control & AVERAGE_ROUNDS),
                    late_bias=at == 0 and layer.streams and not self.layout.counts_have_stops,
                )
            stream = target if target is not self.data else None
        self.runs += 1
        words = self.registers[self._master]
        words[CONTROL] = words.get(CONTROL, 0) | DONE

    def _stream_words(self, layer: LayerProgram) -> int:
        rows, columns = layer.pooled
        pixels = 4 * (rows + 4) * (columns + 4)
        return pixels * layer.output_pixel_words + SLACK_WORDS

    def _feed(self, layer: LayerProgram) -> DataMemory | None:
        """The frame where the first layer reads it: each FIFO feeds its quadrant's first instance.
        Without streaming that is in the data memory (None), else in a memory of its own."""
        place = slice(layer.read_base, layer.read_base + self._wanted)
        memory = self.data
        if layer.streams:
            memory = DataMemory(place.stop + SLACK_WORDS)
        if place.stop > memory.words:
            raise AcceleratorStopped(
                f"a frame of {self._wanted} words from {place.start} on is larger than the data "
                f"memory of {memory.words}"
            )
        for quadrant in self._fed:
            words = np.array(self._frame[quadrant][: self._wanted], dtype="<u4")
            memory.bytes[quadrant * SHARED, place] = words.view(np.uint8).reshape(-1, 4)
        return memory if layer.streams else None

"""Networks of ADI's own flow: how the generated C loads and unloads is understood or refused, the
files travel whole in a .tflite, wrong words are told. The real tool: test_vendor_max7800x_tool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npubench.boards import load_board
from npubench.compiler.analyze import analyze
from npubench.compiler.backends.max7800x.brought import (
    checked_words,
    compile_brought,
    is_brought,
    seeded_sample,
)
from npubench.compiler.backends.max7800x.feed import Feed, Segment, memory_feed, read_feed
from npubench.compiler.backends.max7800x.unload import read_unload
from npubench.compiler.graph import DType, Graph, Op, Quantization, Tensor
from npubench.compiler.importers.ai8x import CODE
from npubench.compiler.importers.load import load_model
from npubench.compiler.importers.registry import importer_of
from npubench.compiler.lower import lower_op
from npubench.compiler.opaque import Opaque, packed, unpacked
from npubench.compiler.tflite.reader import read_tflite
from npubench.compiler.tflite.writer import write_tflite
from npubench.core.errors import ModelFormatError, ToolError, ToolMissing, UnsupportedOp, UsageError
from npubench.npu.max7800x.device import MAX78000, MAX78002


def sample(channels: int, high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (channels, high, wide), dtype=np.int64)


def program(feed: Feed, data: np.ndarray) -> tuple[str, str]:
    """load_input and the arrays as the tool writes them for ``feed``."""
    arrays = "\n".join(
        f"static const uint32_t input_{i}[] = SAMPLE_INPUT_{i};" for i in range(len(feed.segments))
    )
    if feed.fifo:
        pointers = "\n".join(
            f"  const uint32_t *in{i} = input_{i};" for i in range(len(feed.segments))
        )
        body = f"{pointers}\n\n  for (i = 0; i < {feed.words}; i++) {{\n" + "\n".join(
            f"    while (((*((volatile uint32_t *) 0x50000004) & {1 << i})) != 0); // Wait\n"
            f"    *((volatile uint32_t *) 0x{one.address:08x}) = *in{i}++; // Write FIFO {i}"
            for i, one in enumerate(feed.segments)
        )
        body += "\n  }"
    else:
        body = "\n".join(
            f"  memcpy32((uint32_t *) 0x{one.address:08x}, input_{i}, {feed.words});"
            for i, one in enumerate(feed.segments)
        )
    words = "\n".join(
        f"#define SAMPLE_INPUT_{i} {{ \\\n  "
        + ", \\\n  ".join(f"0x{word:08x}" for word in feed.packed(data, one.first))
        + " \\\n}"
        for i, one in enumerate(feed.segments)
    )
    return f"{arrays}\n\nvoid load_input(void)\n{{\n{body}\n}}\n", words


def planar(channels: int, pixels: int, *, fifo: bool) -> Feed:
    return Feed(
        pixels=pixels, channels=channels, passes=1, pass_channels=0, lanes=1, planar=True,
        fifo=fifo,
        segments=tuple(
            Segment(address=0x50000008 + 4 * c if fifo else 0x50400000 + 0x2000 * c, first=c)
            for c in range(channels)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("feed", "shape"),
    [
        (memory_feed((3, 5, 7), 1, 3, MAX78000), (3, 5, 7)),
        (memory_feed((70, 3, 2), 2, 36, MAX78000), (70, 3, 2)),
        (memory_feed((128, 9, 1), 2, 64, MAX78000), (128, 9, 1)),
        (planar(1, 28 * 28, fifo=False), (1, 28, 28)),
        (planar(3, 10, fifo=True), (3, 5, 2)),
        (replace(memory_feed((3, 4, 4), 1, 3, MAX78000), fifo=True,
                 segments=(Segment(address=0x50000008, first=0),)), (3, 4, 4)),
    ],
    ids=["hwc", "passes-not-full", "passes", "chw", "chw-fifo", "hwc-fifo"],
)  # fmt: skip
def test_the_layout_is_found_in_the_tools_own_words(
    feed: Feed, shape: tuple[int, int, int]
) -> None:
    data = sample(*shape)
    found = read_feed(data, *program(feed, data))
    assert found.segments == feed.segments
    assert (found.planar, found.fifo, found.passes) == (feed.planar, feed.fifo, feed.passes)
    other = np.roll(data, 1)
    for one in feed.segments:
        assert np.array_equal(found.packed(other, one.first), feed.packed(other, one.first))


def test_a_layout_that_is_none_is_refused() -> None:
    data = sample(3, 4, 4)
    main, words = program(memory_feed((3, 4, 4), 1, 3, MAX78000), data)
    with pytest.raises(ToolError, match="in no layout"):
        read_feed(data + 1, main, words)
    with pytest.raises(ToolError, match="load_input has another form"):
        read_feed(data, main.replace("memcpy32", "memcpy64"), words)


BYTES = """
int cnn_unload(uint32_t *out_buf32)
{
  uint8_t *out_buf = (uint8_t *) out_buf32;
  uint32_t val;
  volatile uint32_t *addr;
  int i;
  uint32_t offs;

  // Custom unload for this network, layer 2: 8-bit data, shape: (2, 1, 3)
  offs = 0x0000;
  addr = (volatile uint32_t *) 0x50400000;
  for (i = 0; i < 3; i++) {
    val = *addr++;
    out_buf[offs] = val & 0xff;
    out_buf[offs+0x3] = (val >> 8) & 0xff;
    offs++;
  }
  out_buf = ((uint8_t *) out_buf32) + 0x0006;

  // Custom unload for this network, layer 3 (head): 8-bit data, shape: (4, 1, 1)
  addr = (volatile uint32_t *) 0x50408000;
  val = *addr;
  addr += 0x2000;
  *out_buf++ = val & 0xff;
  *out_buf++ = (val >> 8) & 0xff;
  *out_buf++ = (val >> 16) & 0xff;
  *out_buf++ = (val >> 24) & 0xff;

  return CNN_OK;
}
"""
WIDE = """
int cnn_unload(uint32_t *out_buf)
{
  volatile uint32_t *addr;

  // Custom unload for this network, layer 8: 32-bit data, shape: (2, 1, 1)
  addr = (volatile uint32_t *) 0x50402000;
  *out_buf++ = *addr++;
  *out_buf++ = *addr++;

  return CNN_OK;
}
"""


def test_outputs_are_found_where_the_c_finds_them() -> None:
    first, second = read_unload(BYTES)
    answer = {
        0x50400000: 0x0000F001, 0x50400004: 0x0000F102, 0x50400008: 0x0000F203,
        0x50408000: 0x807F0201,
    }  # fmt: skip
    assert first.values(answer).tolist() == [[[1, 2, 3]], [[-16, -15, -14]]]
    assert second.values(answer).reshape(-1).tolist() == [1, 2, 127, -128]
    (wide,) = read_unload(WIDE)
    assert wide.values({0x50402000: 0xFFFFFFFE, 0x50402004: 70000}).reshape(-1).tolist() == [
        -2, 70000,
    ]  # fmt: skip
    with pytest.raises(ToolError, match=r"says nothing of 1 of 2 values: none at 0x50402004"):
        wide.values({0x50402000: 1})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("int main(void)\n{\n}\n", "there is no cnn_unload"),
        (WIDE.replace("*out_buf++ = *addr++;", "copy(out_buf, addr, 2);", 1), "a form that is not"),
        (WIDE.replace("(2, 1, 1)", "(3, 1, 1)"), "an output of 3 values of 32 bits is not whole"),
        (WIDE.replace("(2, 1, 1)", "(1, 1, 1)"), "1 values belong to no output"),
    ],
    ids=["none", "form", "short", "long"],
)
def test_an_unloading_that_is_not_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        read_unload(text)


def carried() -> Graph:
    scheme = Quantization(scales=(1 / 128,), zero_points=(0,))
    shapes: list[tuple[tuple[int, ...], bytes | None]] = [
        ((1, 2, 3, 4), None), ((5,), bytes(5)), ((1, 7), None)
    ]  # fmt: skip
    tensors = tuple(
        Tensor(index=i, name=f"t{i}", shape=shape, dtype=DType.INT8, quantization=scheme, data=data)
        for i, (shape, data) in enumerate(shapes)
    )
    network = Opaque(about={"macs": 1234, "words": "--fifo"}, parts={"b": b"two", "a": b"\0one"})
    op = Op(
        index=0, kind="CUSTOM", inputs=(0, 1), outputs=(2,), options={}, custom_code=CODE,
        custom_options=packed(network),
    )  # fmt: skip
    return Graph(name="own", sha256="", tensors=tensors, ops=(op,), inputs=(0,), outputs=(2,))


def test_the_files_travel_whole_and_say_what_they_cost() -> None:
    graph = read_tflite(write_tflite(carried()), name="own")
    assert is_brought(graph)
    found = unpacked(graph.ops[0])
    assert found.parts == {"a": b"\0one", "b": b"two"}
    assert found.about["words"] == "--fifo"
    analysis = analyze(graph)
    assert (analysis.macs, analysis.parameters) == (1234, 5)
    assert seeded_sample(graph).shape == (4, 2, 3)
    with pytest.raises(UnsupportedOp, match="a whole network in its vendor's own scheme") as error:
        lower_op(graph, graph.ops[0])
    assert "--backend max7800x" in error.value.hint


@pytest.mark.parametrize("cut", [1, 4, 60])
def test_damaged_files_are_refused(cut: int) -> None:
    op = carried().ops[0]
    with pytest.raises(ModelFormatError, match=r"ai8x-network \(index 0\)"):
        unpacked(replace(op, custom_options=op.custom_options[:-cut]))
    with pytest.raises(ModelFormatError, match="left over"):
        unpacked(replace(op, custom_options=op.custom_options + bytes(cut)))


def test_words_for_the_tool_are_checked() -> None:
    assert checked_words("--fifo --start-layer 74") == ("--fifo", "--start-layer", "74")
    with pytest.raises(UsageError, match="'--test-dir' cannot be said"):
        checked_words("--fifo --test-dir /")
    with pytest.raises(UsageError, match="--start-layer wants a value"):
        checked_words("--start-layer")


def test_the_pipeline_is_not_left_out_at_the_clock_that_needs_it() -> None:
    with pytest.raises(UsageError, match="50 MHz at most, and the driver sets 200"):
        compile_brought(carried(), load_board("max78002evkit"), MAX78002, ("--no-pipeline",))


def test_what_is_missing_is_said_before_any_tool_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AI8X_SYNTHESIS_DIR", raising=False)
    network = tmp_path / "net.yaml"
    network.write_text("---\narch: some\ndataset: none\nlayers:\n  - pad: 1\n")
    (tmp_path / "other.yaml").write_text("key: value\n")
    found = importer_of(network)
    assert found is not None
    assert found[0] == "ai8x"
    assert importer_of(tmp_path / "other.yaml") is None
    with pytest.raises(ToolMissing, match="AI8X_SYNTHESIS_DIR is not set") as error:
        load_model(str(network))
    assert "clone analogdevicesinc/ai8x-synthesis" in error.value.hint
    checkout = tmp_path / "ai8x"
    checkout.mkdir()
    (checkout / "ai8xize.py").write_text("")
    monkeypatch.setenv("AI8X_SYNTHESIS_DIR", str(checkout))
    monkeypatch.setenv("AI8X_PYTHON", "python3")
    with pytest.raises(UsageError, match="without its weights") as usage:
        load_model(str(network))
    assert "--weights" in usage.value.hint
    with pytest.raises(UsageError, match="there is no checkpoint"):
        load_model(str(network), {"weights": tmp_path / "none.pth.tar"})
    (tmp_path / "w.pth.tar").write_bytes(b"")
    with pytest.raises(UsageError, match="one input, input; shapes were said for image"):
        load_model(
            str(network),
            {"weights": tmp_path / "w.pth.tar", "shapes": (("image", (1, 4, 4, 1)),)},
        )

"""Boards, models, checks and builds as Rich tables: what there is, before anything was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from npubench.boards import Board
from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.platform import COLUMNS, standing
from npubench.report.table import cell, heading, key_values, name, new_table, number


class CheckLike(Protocol):
    """One thing that ``doctor`` looked at."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def required(self) -> bool: ...
    @property
    def found(self) -> str: ...
    @property
    def hint(self) -> str: ...


def doctor_table(checks: Sequence[CheckLike]) -> RenderableType:
    """Every check with what was found; hints for what is missing."""
    table = new_table()
    table.add_column("")
    table.add_column("Check", no_wrap=True)
    table.add_column("Found", overflow="fold")
    for check in checks:
        if check.ok:
            mark = Text("ok", style="green")
        elif check.required:
            mark = Text("missing", style="bold red")
        else:
            mark = Text("optional", style="yellow")
        found = cell(check.found, 200)
        if not check.ok and check.hint:
            found.append(f"\n{printable(check.hint, 300)}", style="dim")
        table.add_row(mark, cell(check.name), found)
    return table


def boards_table(boards: Sequence[Board]) -> Table:
    """One line per board; the NPU's column says what is verified of it."""
    table = new_table(tight=True)
    for title in ("Board", "Core", "Clock", "Code", "RAM", "CPU", "NPU"):
        table.add_column(title, no_wrap=title not in ("CPU", "NPU"))
    for board in boards:
        table.add_row(
            name(board.id),
            name(board.cpu.core.removeprefix("cortex-")),
            number(fmt.si(board.cpu.hz, "Hz")),
            number(memory_size(board, "code")),
            number(memory_size(board, "ram")),
            _words(board.status.cpu),
            _words(fmt.NONE if board.npu is None else board.status.npu),
        )
    return table


def standing_table(boards: Sequence[Board]) -> Table:
    """One line per board: what stands behind its figures, see report.platform."""
    table = new_table(tight=True)
    table.add_column("Board", no_wrap=True)
    for title in COLUMNS.values():
        table.add_column(title[:1].upper() + title[1:], overflow="fold")
    for board in boards:
        table.add_row(
            name(board.id),
            *(cell(words.replace("`", ""), 120) for words in standing(board).values()),
        )
    return table


def _words(status: str) -> Text:
    """A status that breaks between its words: a dash would not do."""
    return cell(status.replace("-", " "))


def memory_size(board: Board, role: str) -> str:
    """Bytes of every region with a role, summed; code also counts what only holds weights."""
    roles = {role, "weights"} if role == "code" else {role, "arena"}
    total = sum(region.size_bytes for region in board.memory if roles & set(region.roles))
    return fmt.size(total) if total else fmt.NONE


def status_words(board: Board) -> str:
    """What of a board is verified, and how, for its CPU and, if it has one, its NPU."""
    if board.npu is None:
        return board.status.cpu
    return f"{board.status.cpu}; NPU {board.status.npu}"


def board_view(board: Board) -> RenderableType:
    """All that is known of a board."""
    rows = [
        ("name", board.name),
        ("kind", board.kind),
        ("part", board.part),
        ("core", board.cpu.core),
        ("clock", "" if board.cpu.hz is None else fmt.si(board.cpu.hz, "Hz")),
        ("kernels", ", ".join(board.cpu.kernels)),
        ("flags", " ".join(board.cpu.flags)),
        ("counter", _counter(board)),
        (
            "NPU",
            ""
            if board.npu is None
            else f"{board.npu.name}, backend {board.npu.backend or board.npu.adapter or 'none'}",
        ),
        ("NPU's configuration", _settings(board)),
        ("NPU's compiler", "" if board.npu is None else board.npu.install),
        ("default backend", board.default_backend),
        ("console", _console(board)),
        ("marker pins", _markers(board)),
        ("compiler", f"{board.toolchain.prefix}gcc (package {board.toolchain.package})"),
        (
            "flashing",
            ""
            if board.flash is None
            else f"{board.flash.protocol} with {board.flash.tool} (package {board.flash.package})",
        ),
        ("flash arguments", "" if board.flash is None else " ".join(board.flash.arguments)),
        ("probe", "" if board.flash is None else _usb(board.flash.probe_usb)),
        (
            "built by",
            ""
            if board.sdk is None
            else f"PlatformIO's {board.sdk.platform}, framework {board.sdk.framework}, "
            f"board {board.sdk.board}",
        ),
        (
            "emulator",
            ""
            if board.emulator is None
            else f"{board.emulator.program} -machine {board.emulator.machine}",
        ),
        ("verified", status_words(board)),
        ("power", board.status.power),
    ]
    parts: list[RenderableType] = [
        Text(board.id, style="bold"),
        key_values([(key, printable(value, 300)) for key, value in rows if value]),
    ]
    if board.memory:
        table = new_table()
        for title in ("Region", "Base", "Size", "Roles"):
            table.add_column(title)
        for region in board.memory:
            table.add_row(
                cell(region.name),
                f"0x{region.base:08x}",
                number(fmt.size(region.size_bytes)),
                ", ".join(region.roles),
            )
        parts += [heading("Memory"), table]
    for title, lines, style in (
        ("Missing: keeps images from being built", board.status.missing, "red"),
        ("Unverified: only the board itself can show", board.status.unverified, "yellow"),
        ("Notes", board.notes, ""),
        ("Power", board.power_notes, ""),
        ("Sources", board.sources, ""),
        (
            "Facts, where they were found and how far they can be trusted",
            tuple(f"{fact.topic}: {fact.confidence}: {fact.source}" for fact in board.facts),
            "",
        ),
        ("Seen on hardware", () if board.status.proof is None else (_proof(board),), "green"),
    ):
        if lines:
            parts.append(heading(title))
            parts += [Text(f"- {printable(line, 500)}", style=style) for line in lines]
    return Group(*parts)


def _proof(board: Board) -> str:
    proof = board.status.proof
    assert proof is not None
    return f"{proof.date.isoformat()} by {proof.by}, firmware {proof.firmware_sha256}"


def _console(board: Board) -> str:
    console = board.console
    fast = "" if console.fast_baud is None else f" ({console.fast_baud} when fast)"
    return ", ".join(
        part for part in (f"{console.baud} baud{fast}", console.note, _usb(console.usb)) if part
    )


def _usb(ids: Sequence[str]) -> str:
    return f"USB {' or '.join(ids)}" if ids else ""


def _markers(board: Board) -> str:
    if board.markers is None:
        return ""
    return f"timestamp {board.markers.timestamp}; code, lowest first: " + ", ".join(
        board.markers.codes
    )


def _settings(board: Board) -> str:
    """The NPU's configuration, one ``key=value`` after the other."""
    config = {} if board.npu is None else board.npu.config
    return ", ".join(f"{key}={value}" for key, value in sorted(config.items()))


def _counter(board: Board) -> str:
    if board.counter.unit == "none":
        return "none: no timing"
    words = f"{board.counter.bits} bits of {board.counter.unit}"
    if board.counter.hz is not None:
        words += f" at {fmt.si(board.counter.hz, 'Hz')}"
    if board.instructions_per_count is not None:
        words += f", {board.instructions_per_count:.4g} instructions each"
    return words


def models_table(documents: Sequence[Mapping[str, Any]]) -> Table:
    """The zoo, one line per model: see ``describe.zoo_document``."""
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    for title in ("Task", "Family"):
        table.add_column(title, overflow="fold")
    for title in ("MACs", "Params", "Peak RAM"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Weights", no_wrap=True)
    table.add_column("Licence", no_wrap=True)
    table.add_column("Metric", justify="right", no_wrap=True)
    for document in documents:
        weights = str(document["weights"])
        if document["fetch"]:
            weights += "; fetch"
        if not document["committed"]:
            weights += "; made"
        table.add_row(
            name(str(document["id"])),
            cell(str(document["task"]).split(":")[0]),
            cell(str(document["family"])),
            number(fmt.si(document["macs"], "")),
            number(fmt.si(document["parameters"], "")),
            number(fmt.size(document["peak_live_bytes"])),
            cell(weights),
            cell(str(document["license"])),
            number(_metric(document)),
        )
    return table


def _metric(document: Mapping[str, Any]) -> str:
    """How well the int8 network answers on its test set; nothing of seeded weights."""
    if document["metric"] is None:
        return fmt.NONE
    words = {"top1": "Top-1", "auc": "AUC"}[document["metric"]]
    return f"{words} {fmt.percent(document['metric_value'])}"


def analysis_view(document: Mapping[str, Any]) -> RenderableType:
    """A network's cost, layer by layer: the document of ``npubench analyze --json``."""
    rows = [
        ("file", str(document["file"])),
        ("SHA-256", str(document["sha256"])),
        ("MACs", fmt.count(document["macs"])),
        ("parameters", fmt.count(document["parameters"])),
        ("weights", fmt.size(document["weight_bytes"])),
        ("peak live activations", fmt.size(document["peak_live_bytes"])),
        *(("input", _tensor_words(tensor)) for tensor in document.get("inputs", ())),
        *(("output", _tensor_words(tensor)) for tensor in document.get("outputs", ())),
    ]
    if "arena_bytes" in document:
        rows.append(("board", f"{document['board']}, backend {document['backend']}"))
        rows.append(("arena", fmt.size(document["arena_bytes"])))
    table = new_table()
    table.add_column("#", justify="right")
    table.add_column("Operator", overflow="fold")
    for title in ("MACs", "Weights", "In", "Out", "Live", "MACs/byte"):
        table.add_column(title, justify="right", no_wrap=True)
    for layer in document["layers"]:
        table.add_row(
            number(str(layer["index"])),
            name(str(layer["op"])),
            number(fmt.count(layer["macs"])),
            number(fmt.size(layer["weight_bytes"])),
            number(fmt.size(layer["input_bytes"])),
            number(fmt.size(layer["output_bytes"])),
            number(fmt.size(layer["live_bytes"])),
            number(f"{layer['intensity_macs_per_byte']:.2f}"),
        )
    parts: list[RenderableType] = [
        Text(printable(str(document["name"]), 60), style="bold"),
        key_values([(key, printable(value, 300)) for key, value in rows]),
        Text(fmt.evidence_words(document["evidence"]), style="dim"),
        table,
    ]
    if document.get("npu"):
        parts += _engines_view(document)
    if document.get("costs"):
        parts += _kernels_view(document)
    fallbacks = document.get("fallbacks", ())
    if fallbacks:
        parts.append(heading("On the CPU, not on the NPU"))
        parts += [
            Text(f"- {item['op']} ({item['op_index']}): {printable(str(item['reason']), 300)}")
            for item in fallbacks
        ]
    return Group(*parts)


def _kernels_view(document: Mapping[str, Any]) -> list[RenderableType]:
    """The kernel of each operator on the CPU, why it, and what other choices would cost."""
    operators = {layer["index"]: layer["op"] for layer in document["layers"]}
    table = new_table()
    table.add_column("#", justify="right")
    table.add_column("Operator", overflow="fold")
    table.add_column("Kernel", overflow="fold")
    table.add_column("Instructions", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for row in document["engines"]:
        count = row["instructions"]
        table.add_row(
            number(str(row["index"])),
            name(str(operators.get(row["index"], ""))),
            cell(row["kernel"] or fmt.NONE),
            number(fmt.NONE if count is None else fmt.count(count)),
            Text(printable(row["choice"] or fmt.NONE, 200)),
        )
    costs = new_table()
    costs.add_column("optimise")
    for title in ("Instructions", "Constants", "Kernels", "Arena"):
        costs.add_column(title, justify="right", no_wrap=True)
    for row in document["costs"]:
        costs.add_row(
            cell(row["optimise"]),
            number(fmt.count(row["instructions"])),
            number(fmt.size(row["constant_bytes"])),
            number(fmt.size(row["kernel_code_bytes"])),
            number(fmt.size(row["arena_bytes"])),
        )
    parts: list[RenderableType] = [heading("Kernels"), table, costs]
    executed = document.get("executed_macs")
    if executed is not None:
        parts.append(Text(f"Without dead channels {fmt.count(executed)} MACs are done."))
    return parts


def _engines_view(document: Mapping[str, Any]) -> list[RenderableType]:
    """Where each operator runs, and what the NPU's model expects of it."""
    npu = document["npu"]
    operators = {layer["index"]: layer["op"] for layer in document["layers"]}
    table = new_table()
    table.add_column("#", justify="right")
    table.add_column("Operator", overflow="fold")
    table.add_column("Runs on")
    for title in ("NPU cycles", "AXI0", "AXI1"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Bound by")
    for row in document.get("engines", ()):
        ports = row["port_bytes"] or (None, None)
        table.add_row(
            number(str(row["index"])),
            name(str(operators.get(row["index"], ""))),
            cell("CPU" if row["engine"] == "cpu" else f"NPU, job {row['job']}"),
            number(fmt.NONE if row["npu_cycles"] is None else fmt.count(row["npu_cycles"])),
            *(number(fmt.size(port)) for port in ports),
            cell(row["bound_by"] or fmt.NONE),
        )
    return [
        heading("Engines"),
        Text(
            f"{npu['accelerator']}: {npu['macs_share']:.1%} of the MACs. Cycles and bytes are "
            "modelled; an operator without cycles costs nothing of its own or is part of the one "
            "before it.",
            style="dim",
        ),
        *([Text(printable(note, 300))] if (note := document.get("npu_memories")) else []),
        table,
    ]


def _tensor_words(tensor: Mapping[str, Any]) -> str:
    shape = "×".join(str(extent) for extent in tensor["shape"]) or "scalar"
    words = f"{printable(str(tensor['name']), 60)}: {tensor['dtype']} {shape}"
    if tensor.get("scale") is not None:
        words += f", scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}"
    return words


def build_view(document: Mapping[str, Any]) -> RenderableType:
    """A finished build: where the image is and what memory it takes."""
    memory: Mapping[str, Any] = document["memory"]
    rows = [
        ("image", str(document["elf"])),
        ("project", str(document["project"])),
        ("ELF SHA-256", str(document["elf_sha256"])),
        ("built", "taken from the cache" if document.get("cached") else "now"),
        *(
            (key.removesuffix("_bytes").replace("_", " "), fmt.size(value))
            for key, value in memory.items()
            if key.endswith("_bytes") and (value is None or isinstance(value, int))
        ),
    ]
    model = printable(str(document["model"]), 60)
    title = f"{model} for {document['board']} ({document['backend']})"
    return Group(
        Text(title, style="bold"),
        key_values([(key, printable(value, 500)) for key, value in rows]),
    )

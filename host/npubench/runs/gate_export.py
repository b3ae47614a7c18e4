"""A gate for other programs: JUnit XML for a CI's page, Markdown for a pull request."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from npubench.core.format import for_markdown, printable
from npubench.runs.gate import Gate, PairGate
from npubench.runs.staging import storage

_MARK = {"pass": "✅", "fail": "❌", "undecided": "➖"}


def write_gate(gate: Gate, *, junit_file: Path | None, markdown_file: Path | None) -> None:
    """Write what was asked for. Raises StorageError."""
    for path, text in ((junit_file, junit(gate)), (markdown_file, markdown(gate))):
        if path is not None:
            with storage(path):
                path.write_text(text, encoding="utf-8")


def junit(gate: Gate) -> str:
    """One suite a pair, one case a metric; undecided is skipped, with its sentence."""
    root = ElementTree.Element("testsuites", name=f"npubench gate: {gate.policy}")
    for pair in gate.pairs:
        cases = [(item.metric, item.status, item.sentence) for item in pair.metrics]
        if pair.reason or not cases:
            cases.insert(0, ("comparable", pair.status, pair.reason or "nothing to compare"))
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(pair.target),
            tests=str(len(cases)),
            failures=str(sum(status == "fail" for _, status, _ in cases)),
            skipped=str(sum(status == "undecided" for _, status, _ in cases)),
        )
        for name, status, sentence in cases:
            case = ElementTree.SubElement(
                suite, "testcase", classname=printable(pair.target), name=name
            )
            if status == "fail":
                ElementTree.SubElement(case, "failure", message=printable(sentence, 1000))
            elif status == "undecided":
                ElementTree.SubElement(case, "skipped", message=printable(sentence, 1000))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(gate: Gate) -> str:
    """What a reviewer reads: the verdict, then what failed, then the rest folded away."""
    lines = [f"### {_MARK[gate.status]} npubench: {gate.status} ({for_markdown(gate.policy)})", ""]
    for status in ("fail", "undecided"):
        for pair in gate.pairs:
            lines += [
                f"- {_MARK[status]} **{for_markdown(pair.target)}**: {text}"
                for text in _sentences(pair, status)
            ]
    lines += [
        "",
        "<details><summary>Every metric</summary>",
        "",
        "| target | metric | before | after | growth | limit | |",
        "| --- | --- | --: | --: | --: | --: | --- |",
    ]
    for pair in gate.pairs:
        for item in pair.metrics:
            growth = "" if item.growth is None else f"{item.growth * 100:+.2f} %"
            lines.append(
                f"| {for_markdown(pair.target)} | {item.metric} | {_number(item.before)} | "
                f"{_number(item.after)} | {growth} | {item.limit} | {_MARK[item.status]} |"
            )
    return "\n".join([*lines, "", "</details>", ""])


def _sentences(pair: PairGate, status: str) -> list[str]:
    found = [for_markdown(item.sentence) for item in pair.metrics if item.status == status]
    if pair.reason and pair.status == status:
        found.insert(0, for_markdown(pair.reason))
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}" if value % 1 else f"{value:,.0f}"

"""docs/findings.md, made of the findings that the rooms declare.

``python -m npubench.report.findings_page > docs/findings.md`` renews it.
"""

from __future__ import annotations

import sys
from itertools import groupby

from npubench.core.finding import Finding, findings

HEAD = """# Findings

What npubench says *about* a number: refusals, warnings, remarks. A run's `findings` keep id, \
severity, values and the text as it was rendered. Ids are never renamed; what older records and \
messages called them stands under "also". This page is made from the code \
(`python -m npubench.report.findings_page > docs/findings.md`).

- **refusal**: the number is not given, or not believed. **warning**: it stands, with less to it \
than it seems. **remark**: good to know.
- **takes from**: the kind of result that is spoiled.
"""


def findings_page() -> str:
    """The page as Markdown, by room."""
    parts = [HEAD]
    for room, items in groupby(findings().values(), key=lambda finding: _room(finding)):
        parts.append(f"\n## {room}\n\n| id | severity | takes from | means | do |")
        parts.append("| --- | --- | --- | --- | --- |")
        parts += [_row(finding) for finding in items]
    return "\n".join(parts) + "\n"


def _room(finding: Finding) -> str:
    return finding.id.partition(".")[0]


def _row(finding: Finding) -> str:
    values = ", ".join(f"`{name}`" for name in finding.values)
    also = ", ".join(f"`{alias}`" for alias in finding.aliases)
    means = finding.meaning + (f" ({values})" if values else "")
    name = f"`{finding.id}`" + (f", also {also}" if also else "")
    cells = (name, finding.severity, finding.spoils, means, finding.remedy)
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(findings_page())

"""`npubench compare`: two runs, and whether their difference can be claimed; a gate for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption
from npubench.core.errors import UsageError

GATE_FAILED = 1
"""Exit code of a gate that fails."""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "compare",
        help="Compare two runs: ids, starts of ids, or paths. With --policy or --fail-on it is a "
        "gate, and A and B may also be folders or archives of runs.\n\n"
        "Example: npubench compare baseline/ runs/ --fail-on 'infer>2%' --fail-on 'ram>0'",
    )(compare)


def compare(
    a: Annotated[str, typer.Argument(help="The run to compare with.")],
    b: Annotated[str, typer.Argument(help="The run that is compared.")],
    runs_dir: RunsDirOption = Path("runs"),
    mix_evidence: Annotated[
        bool, typer.Option("--mix-evidence", help="Allow runs of different evidence.")
    ] = False,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            min=1e-6,
            help="Inferences per second at which mean power is compared, where both runs have "
            "energy; repeatable [default: 0.01, 0.1, 1, 10].",
        ),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="A gate's policy (docs/gates.md).")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="RULE", help="E.g. 'infer>2%' or 'ram>+512'."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the gate as JUnit XML.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the gate for a pull request.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """What differs in provenance first, then stage by stage; as a gate, exit code 1 on failure."""
    if policy is not None or fail_on:
        return _gate(a, b, runs_dir, policy, fail_on or (), junit, markdown, as_json=as_json)
    if junit is not None or markdown is not None:
        raise UsageError(
            "--junit and --markdown are a gate's", hint="name a --policy, or a rule: --fail-on"
        )
    from npubench import api

    comparison = api.compare(
        a, b, runs_dir=runs_dir, mix_evidence=mix_evidence, rates_per_second=rate or ()
    )
    if as_json:
        print_json({"comparison": comparison.document()})
        return 0
    from npubench.report.terminal import compare_view

    console().print(compare_view(comparison))
    return 0


def _gate(
    before: str,
    after: str,
    runs_dir: Path,
    policy: Path | None,
    rules: Sequence[str],
    junit_file: Path | None,
    markdown_file: Path | None,
    *,
    as_json: bool,
) -> int:
    from npubench.runs.gate_export import write_gate
    from npubench.runs.policy import choose_policy
    from npubench.runs.sets import gate_named

    gate = gate_named(before, after, runs_dir, choose_policy(policy, rules))
    write_gate(gate, junit_file=junit_file, markdown_file=markdown_file)
    if as_json:
        print_json({"gate": gate.document()})
    else:
        from npubench.report.gate import gate_view

        console().print(gate_view(gate))
    return GATE_FAILED if gate.status == "fail" else 0

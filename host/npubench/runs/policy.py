"""A gate's policy: how much each metric may grow, what must be the same, what is accepted."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, UsageError
from npubench.core.finding import aliases, findings
from npubench.core.stages import Stage

MEMORY_METRICS = ("flash", "ram", "weights", "kernels", "arena", "scratch", "stack")
STAGE_METRICS = tuple(stage.value for stage in Stage if stage is not Stage.IDLE)
ENERGY_METRICS = tuple(f"energy.{stage.value}" for stage in Stage)
WRONG = "wrong"
"""How badly the target answers: what is missing to 100 %, or the perplexity."""
METRICS = (*STAGE_METRICS, *MEMORY_METRICS, *ENERGY_METRICS, WRONG)
Dimension = Literal["target", "board", "backend", "artifact", "evidence", "tools", "flags", "clock"]
_RULE = re.compile(r"\s*([a-z_.]+)\s*>\s*(.+?)\s*")
_LIMIT = re.compile(r"\+?(\d+(?:\.\d+)?)\s*(%?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much a metric may grow: a share of what it was, or an amount in its own unit."""

    relative: float | None = None
    absolute: float | None = None

    def allows(self, before: float, after: float) -> bool:
        """Whether ``after`` is within the limit. What shrinks always is."""
        if after <= before:
            return True
        if self.absolute is not None:
            return after - before <= self.absolute
        assert self.relative is not None
        return after <= before * (1 + self.relative)

    def __str__(self) -> str:
        if self.absolute is not None:
            return f"+{self.absolute:g}"
        assert self.relative is not None
        return f"{self.relative * 100:g} %"


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1)]
    limits: Annotated[dict[str, str], Field(min_length=1)]
    same: tuple[Dimension, ...] = ()
    accept: tuple[str, ...] = ()
    findings: Literal["pass", "fail"] = "fail"
    undecided: Literal["pass", "fail"] = "pass"
    missing: Literal["pass", "fail"] = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a comparison must keep to.

    ``same``: what must be equal in both runs. ``findings``: what a warning or refusal counts for
    that only the newer run has; ``accept``: ids of those that are not held against it.
    ``undecided``: what a difference counts for that the data does not carry;
    ``missing``: what a run counts for that has no counterpart, or a metric that is gone.
    """

    name: str
    limits: dict[str, Limit]
    same: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    findings: Literal["pass", "fail"] = "pass"
    undecided: Literal["pass", "fail"] = "pass"
    missing: Literal["pass", "fail"] = "fail"


def choose_policy(path: Path | None, rules: Sequence[str]) -> Policy:
    """The policy of a file, with rules of the command line added or put in place of the file's."""
    if path is None:
        return parse_rules(rules)
    policy = read_policy(path)
    return replace(policy, limits={**policy.limits, **parse_rules(rules).limits})


def read_policy(path: Path) -> Policy:
    """Read a policy file. Raises ConfigError that names every mistake."""
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}") from error
    limits = {}
    for metric, text in file.limits.items():
        try:
            limits[check_metric(metric)] = parse_limit(text)
        except UsageError as error:
            raise ConfigError(
                f"{path}: limits.{metric}: {error.message}", hint=error.hint
            ) from error
    return Policy(
        name=file.name,
        limits=limits,
        same=file.same,
        accept=tuple(_known_id(path, name) for name in file.accept),
        findings=file.findings,
        undecided=file.undecided,
        missing=file.missing,
    )


def _known_id(path: Path, name: str) -> str:
    """The id of a finding, by itself or by what older records call it."""
    known = findings()
    found = aliases().get(name, name)
    if found in known:
        return found
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    raise ConfigError(
        f"{path}: accept: there is no finding {name!r}",
        hint=f"did you mean {close[0]}?" if close else "docs/findings.md has every id",
    )


def parse_rules(rules: Sequence[str]) -> Policy:
    """A policy of rules like ``infer>2%`` or ``ram>+512``. Raises UsageError."""
    limits = {}
    for rule in rules:
        match = _RULE.fullmatch(rule)
        if match is None:
            raise UsageError(
                f"{rule!r} is no rule", hint="METRIC>LIMIT, e.g. 'infer>2%' or 'ram>+512'"
            )
        limits[check_metric(match[1])] = parse_limit(match[2])
    return Policy(name="--fail-on", limits=limits)


def parse_limit(text: str) -> Limit:
    """``2%`` of what it was, or ``+512`` in the metric's own unit. Raises UsageError."""
    match = _LIMIT.fullmatch(text.strip())
    if match is None or not (match[2] or text.strip().startswith("+") or float(match[1]) == 0):
        raise UsageError(
            f"{text!r} is no limit", hint="a share like 2%, or an amount like +512, or 0"
        )
    number = float(match[1])
    if match[2] or number == 0:
        return Limit(relative=number / 100)
    return Limit(absolute=number)


def check_metric(name: str) -> str:
    """``name`` if there is such a metric. Raises UsageError with the closest."""
    if name in METRICS:
        return name
    import difflib

    close = difflib.get_close_matches(name, METRICS, n=1)
    raise UsageError(
        f"there is no metric {name!r}",
        hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(METRICS)}",
    )

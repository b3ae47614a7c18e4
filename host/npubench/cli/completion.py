"""Completion for bash, zsh and fish: a short script for the shell, which asks us for each word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

ASK = "__complete"
"""The hidden first word by which the shell's script asks; main dispatches it."""

SCRIPTS = {
    "bash": """_npubench() {
    local IFS=$'\\n'
    COMPREPLY=($(npubench __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -o bashdefault -F _npubench npubench
""",
    "zsh": """#compdef npubench
_npubench() {
    local -a found
    found=("${(@f)$(npubench __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _npubench npubench
""",
    "fish": """function __npubench
    set -l words (commandline -opc) (commandline -ct)
    npubench __complete $words[2..-1] 2>/dev/null
end
complete -c npubench -a '(__npubench)'
""",
}


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "completion",
        help="Print the script that completes words in your shell: bash, zsh or fish.\n\n"
        'Example: eval "$(npubench completion bash)"',
    )(completion)


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """The script, for the shell's start-up file."""
    from npubench.core.errors import UsageError

    if shell not in SCRIPTS:
        raise UsageError(
            f"there is no completion for {shell!r}", hint=f"one of: {', '.join(SCRIPTS)}"
        )
    sys.stdout.write(SCRIPTS[shell])


def candidates(app: typer.Typer, words: list[str]) -> list[str]:
    """What the last of ``words`` can become; none where it may be a file."""
    command: Any = typer.main.get_command(app)
    *before, begun = words or [""]
    options: list[Any] = []
    waiting: Any = None
    for word in before:
        if waiting is not None:
            waiting = None
            continue
        inner = getattr(command, "commands", {}).get(word)
        if inner is not None:
            command = inner
            continue
        option = _option(command, word)
        if option is not None:
            options.append(option)
            waiting = None if option.is_flag else option
    if waiting is not None:
        return _begun(_values(waiting.name), begun)
    if begun.startswith("-"):
        return _begun(
            (name for one in command.params for name in one.opts if name[0] == "-"), begun
        )
    inner_names = getattr(command, "commands", None)
    if inner_names is not None:
        return _begun(inner_names, begun)
    first = next((one for one in command.params if not _is_option(one)), None)
    return _begun(() if first is None else _values(first.name), begun)


def _begun(names: Iterable[str], begun: str) -> list[str]:
    return sorted({name for name in names if name.startswith(begun)})


def _is_option(one: Any) -> bool:
    return bool(one.opts) and one.opts[0].startswith("-")


def _option(command: Any, word: str) -> Any:
    return next((one for one in command.params if _is_option(one) and word in one.opts), None)


def _values(name: str) -> Iterable[str]:
    give = _VALUES.get(name)
    return () if give is None else give()


def _folders(kind: str, file: str) -> Callable[[], Iterable[str]]:
    def names() -> Iterable[str]:
        from npubench.core.paths import data_root

        return (path.parent.name for path in (data_root() / kind).glob(f"*/{file}"))

    return names


def _backends() -> Iterable[str]:
    from npubench.compiler.backends import backend_names

    return backend_names()


def _tools() -> Iterable[str]:
    from npubench.core.paths import package_root

    return (path.stem for path in (package_root() / "toolenv" / "tools").glob("*.toml"))


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "board": _folders("boards", "board.toml"),
    "board_id": _folders("boards", "board.toml"),
    "model": _folders("models", "model.toml"),
    "models": _folders("models", "model.toml"),
    "backend": _backends,
    "tool": _tools,
    "shell": lambda: SCRIPTS,
}
"""Values by the parameter's name; read from folders, so that nothing heavy is imported."""

"""A plug-in written for the paths of the last release still loads, and is told the new ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

import pytest

from npubench.core import renamed


@pytest.fixture
def old_paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in (*renamed.MOVED, *renamed._EMPTY):
        monkeypatch.delitem(sys.modules, name, raising=False)
    renamed.honour_old_paths()
    renamed.honour_old_paths()
    yield
    for name in (*renamed.MOVED, *renamed._EMPTY):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("old", sorted(renamed.MOVED))
@pytest.mark.usefixtures("old_paths")
def test_an_old_path_gives_what_the_new_one_gives(old: str) -> None:
    new = import_module(renamed.MOVED[old])
    with pytest.warns(DeprecationWarning, match=renamed.MOVED[old].replace(".", r"\.")):
        module = import_module(old)
    for name, value in vars(new).items():
        if not name.startswith("__"):
            assert vars(module)[name] is value, f"{old}.{name}"


@pytest.mark.usefixtures("old_paths")
def test_a_path_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("npubench.power.instrument.nothing")

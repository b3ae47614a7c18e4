"""Who has what in a lab: by tags, by bench.toml, by labgrid's environment file."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.core.errors import ConfigError, UsageError
from npubench.lab.coordinator import DEFAULT, PlaceState
from npubench.lab.description import Description, choose, lab_description, read_environment

BENCH = """
schema = 1
[lab]
coordinator = "lab-1:20408"
[lab.places.bench-1]
board = "nucleo-l4r5zi"
probe = "0668FF"
[lab.places.bench-2]
board = "nucleo-l4r5zi"
probe = "0669AA"
"""
ENVIRONMENT = """
targets:
  main:
    resources:
      RemotePlace:
        name: bench-2
  second:
    resources:
    - RemotePlace: {name: bench-1}
    - RawSerialPort: {port: /dev/ttyS0}
options:
  coordinator_address: lab-9:20408
"""


def place(name: str, board: str = "", holder: str = "", **tags: str) -> PlaceState:
    found = {"board": board, **tags} if board else tags
    return PlaceState(
        name=name, board=board, tags=found, holder=holder, reservation="", resources=()
    )


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bench.toml, and nothing of the machine's own."""
    path = tmp_path / "bench.toml"
    path.write_text(BENCH)
    monkeypatch.setenv("NPUBENCH_BENCH", str(path))
    monkeypatch.delenv("LG_ENV", raising=False)
    monkeypatch.delenv("LG_COORDINATOR", raising=False)
    return path


def test_the_nearest_word_names_the_coordinator(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab_description().coordinator == "lab-1:20408"
    monkeypatch.setenv("LG_COORDINATOR", "lab-2:1")
    assert lab_description().coordinator == "lab-2:1"
    assert lab_description("lab-3:1").coordinator == "lab-3:1"
    monkeypatch.delenv("LG_COORDINATOR")
    written.write_text("schema = 1\n")
    assert lab_description().coordinator == DEFAULT
    pytest.importorskip("yaml")
    (tmp_path / "env.yaml").write_text(ENVIRONMENT)
    monkeypatch.setenv("LG_ENV", str(tmp_path / "env.yaml"))
    found = lab_description()
    assert found.coordinator == "lab-9:20408"
    assert found.place_name("main") == "bench-2"
    assert found.place_name("second") == "bench-1"
    assert found.place_name("bench-7") == "bench-7"


def test_an_environment_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    path = tmp_path / "env.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_environment(path)
    for text, why in (("a: [", "not plain YAML"), ("targets: !template x", "not plain YAML"),
                      ("- 1", "no targets")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(ConfigError, match=why):
            read_environment(path)


def test_boards_of_one_kind_are_told_by_place_and_by_probe(written: Path) -> None:
    del written
    lab = lab_description()
    places = lab.described([place("bench-1"), place("bench-2"), place("bench-3")])
    board = "nucleo-l4r5zi"
    assert [item.board for item in places] == [board, board, ""]
    assert choose(places, board, "bench-2", None, any_name="any") == {"name": "bench-2"}
    assert choose(places, board, "any", "0669AA", any_name="any") == {"name": "bench-2"}
    with pytest.raises(UsageError, match="no place has a nucleo-l4r5zi with the probe 1") as caught:
        choose(places, board, "any", "1", any_name="any")
    assert "bench-1 (0668FF), bench-2 (0669AA)" in caught.value.hint
    with pytest.raises(UsageError, match="with the probe 0668FF"):
        choose(places, board, "bench-2", "0668FF", any_name="any")
    with pytest.raises(UsageError, match="a board that nobody has named"):
        choose(places, board, "bench-3", None, any_name="any")
    with pytest.raises(UsageError, match="no place of the lab has a qemu-m4"):
        choose(places, "qemu-m4", "any", None, any_name="any")


def test_a_tag_lets_the_coordinator_choose_and_bench_toml_takes_a_free_place(
    written: Path,
) -> None:
    del written
    lab = lab_description()
    board = "nucleo-l4r5zi"
    busy = lab.described([place("bench-1", holder="ada"), place("bench-2")])
    assert choose(busy, board, "any", None, any_name="any") == {"name": "bench-2"}
    all_busy = lab.described([place("bench-1", holder="ada"), place("bench-2", holder="ada")])
    assert choose(all_busy, board, "any", None, any_name="any") == {"name": "bench-1"}
    tagged = lab.described([place("bench-1"), place("bench-9", board)])
    assert choose(tagged, board, "any", None, any_name="any") == {"board": board}


def test_a_tag_that_says_another_thing_is_told(written: Path) -> None:
    del written
    with pytest.raises(ConfigError, match=r"by bench\.toml, but qemu-m4 by its tag"):
        lab_description().described([place("bench-1", "qemu-m4")])
    with pytest.raises(ConfigError, match=r"the probe 0668FF by bench\.toml, but 9"):
        lab_description().described([place("bench-1", probe="9")])
    assert Description().described([place("x", "qemu-m4")])[0].board == "qemu-m4"


def test_a_wrong_key_of_the_lab_is_an_error(written: Path) -> None:
    written.write_text("schema = 1\n[lab]\ncordinator = 'x'\n[lab.places.a]\nbord = 'x'\n")
    with pytest.raises(ConfigError, match=r"lab\.places\.a\.bord.*lab\.cordinator"):
        lab_description()

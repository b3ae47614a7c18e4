"""Set-up and make: what a newcomer's two commands do, without network and without installing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = (
    "cat", "cmp", "cut", "dirname", "env", "find", "grep", "id", "mkdir", "rm", "sh", "sleep",
    "tail",
)  # fmt: skip
ALL_PACKAGES = (
    "gcc", "gcc-arm-none-eabi", "qemu-system-arm", "python3-venv", "libc6-dev",
    "libnewlib-arm-none-eabi",
)  # fmt: skip


@pytest.fixture
def bench_copy(checkout: Path, tmp_path: Path) -> Path:
    """A checkout, as far as set-up reads it, at a path with a space; beside it a bare PATH."""
    folder = tmp_path / "my checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(checkout / name, folder)
    for name in ("setup.sh", "run.sh"):
        shutil.copy(checkout / "scripts" / name, folder / "scripts")
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / "bin" / name).symlink_to(found)
    return folder


def program(folder: Path, name: str, script: str) -> Path:
    """An executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def set_up(folder: Path, what: str = "bench") -> subprocess.CompletedProcess[str]:
    """Run the set-up with nothing on PATH but what the test put there."""
    path = str(folder.parent / "bin")
    return subprocess.run(
        ["sh", str(folder / "scripts" / "setup.sh"), what], cwd=folder.parent, text=True,
        capture_output=True, check=False, env={"PATH": path, "TRACE": str(folder.parent / "trace")},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def make(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make in the copy."""
    return subprocess.run(
        ["make", "--no-print-directory", *words], cwd=folder, text=True, capture_output=True,
        check=False, env={"PATH": os.environ["PATH"], **env},
    )  # fmt: skip


def compilers(folder: Path) -> None:
    for name in ("gcc", "arm-none-eabi-gcc", "qemu-system-arm"):
        program(folder.parent / "bin", name, "exit 0")


def test_without_apt_it_says_what_to_install(bench_copy: Path) -> None:
    result = set_up(bench_copy)
    assert result.returncode == 3
    for name in (*ALL_PACKAGES, "Python 3.11, 3.12 or 3.13"):
        assert name in result.stderr
    assert not (bench_copy / ".venv").exists()


def test_missing_packages_come_through_apt(bench_copy: Path) -> None:
    binaries = bench_copy.parent / "bin"
    program(binaries, "id", "echo 0")
    program(
        binaries, "apt-get",
        'echo "$DEBIAN_FRONTEND $*" >>"$TRACE"; case "$*" in *update*) exit 100;; esac',
    )  # fmt: skip
    result = set_up(bench_copy)
    calls = (bench_copy.parent / "trace").read_text(encoding="utf-8").splitlines()
    assert all(call.startswith("noninteractive ") for call in calls)
    assert " update" in calls[0]
    (install,) = [call for call in calls[1:] if "--print-uris" not in call]
    assert " install -y --no-install-recommends python3-venv gcc libc6-dev " in install, (
        "a failed update must not stop the installation"
    )
    assert result.returncode == 3
    assert "still missing" in result.stderr or "no Python" in result.stderr


def test_without_root_sudo_never_asks_a_pipe(bench_copy: Path) -> None:
    binaries = bench_copy.parent / "bin"
    program(binaries, "id", "echo 1000")
    program(binaries, "apt-get", "exit 0")
    assert "needs root" in set_up(bench_copy).stderr
    program(binaries, "sudo", 'echo "$*" >>"$TRACE"')
    set_up(bench_copy)
    calls = (bench_copy.parent / "trace").read_text(encoding="utf-8").splitlines()
    assert calls[0] == "-n true"
    assert len(calls) > 2
    assert all(
        call.startswith("-n env DEBIAN_FRONTEND=noninteractive apt-get") for call in calls[1:]
    )


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo wants a password"])
def test_without_root_the_exact_command_is_told(bench_copy: Path, sudo: str | None) -> None:
    """8.12: what root has to run, word for word, and what comes after it."""
    binaries = bench_copy.parent / "bin"
    program(binaries, "id", "echo 1000")
    program(binaries, "apt-get", "exit 99")
    program(binaries, "qemu-system-arm", "exit 0")
    if sudo is not None:
        program(binaries, "sudo", sudo)
    result = set_up(bench_copy)
    assert result.returncode == 3
    (command,) = [line for line in result.stderr.splitlines() if "apt-get update" in line]
    update, _, install = command.removeprefix("npubench setup:   ").partition(" && ")
    assert update == "apt-get update"
    words = install.split()
    assert words[:4] == ["apt-get", "install", "-y", "--no-install-recommends"]
    assert set(words[4:]) == {*ALL_PACKAGES} - {"qemu-system-arm"}
    assert "run the same command again" in result.stderr
    assert "no root" in result.stderr


def test_the_size_and_the_end_of_a_failed_download_are_told(bench_copy: Path) -> None:
    """8.12: few lines while all goes well, the reason where it does not."""
    binaries = bench_copy.parent / "bin"
    program(binaries, "id", "echo 0")
    program(
        binaries, "apt-get",
        """case "$*" in
*--print-uris*) echo "'http://x/a.deb' a.deb 31000000 A"
    echo "'http://x/b.deb' b.deb 11500000 B" ;;
*update*) echo a hundred lines ;;
*) echo E: no space left; exit 100 ;;
esac""",
    )  # fmt: skip
    result = set_up(bench_copy)
    assert result.returncode == 3
    assert ", 42 MB to fetch: python3-venv gcc" in result.stderr
    assert "E: no space left" in result.stderr
    assert "a hundred lines" not in result.stderr
    assert "no space left" in (bench_copy / ".cache" / "setup.log").read_text(encoding="utf-8")


TESTS = ("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", "lrzsz")


@pytest.mark.parametrize("works", [True, False])
def test_the_tests_get_their_compiler_or_go_without(bench_copy: Path, works: bool) -> None:
    """8.1: RISC-V's compiler belongs to the full set-up; who cannot have it is told and goes on,
    and is not asked again at each run."""
    trace = fake_python(bench_copy, fail="nothing fails")
    binaries = bench_copy.parent / "bin"
    program(binaries, "id", "echo 0")
    program(binaries, "apt-get", f'echo "apt $*" >>"$TRACE"; exit {0 if works else 100}')
    first = set_up(bench_copy, "all")
    assert first.returncode == 0, first.stderr
    assert ("are skipped" in first.stderr) != works
    calls = trace.read_text(encoding="utf-8").splitlines()
    (install,) = [call for call in calls if call.startswith("apt ") and " install -y" in call]
    assert install.split()[-3:] == list(TESTS)
    assert set_up(bench_copy, "all").returncode == 0
    assert trace.read_text(encoding="utf-8").splitlines() == calls


def test_the_bench_does_without_the_compiler_of_the_tests(bench_copy: Path) -> None:
    trace = fake_python(bench_copy, fail="nothing fails")
    program(bench_copy.parent / "bin", "id", "echo 0")
    program(bench_copy.parent / "bin", "apt-get", 'echo "apt $*" >>"$TRACE"')
    assert set_up(bench_copy).returncode == 0
    assert "apt " not in trace.read_text(encoding="utf-8")


def test_without_root_the_full_set_up_goes_on_without_riscv(bench_copy: Path) -> None:
    fake_python(bench_copy, fail="nothing fails")
    program(bench_copy.parent / "bin", "id", "echo 1000")
    program(bench_copy.parent / "bin", "apt-get", "exit 0")
    result = set_up(bench_copy, "all")
    assert result.returncode == 0, result.stderr
    assert f"--no-install-recommends {' '.join(TESTS)}" in result.stderr
    assert "are skipped, and say so" in result.stderr


def test_the_bare_machine_is_skipped_with_a_reason(checkout: Path, tmp_path: Path) -> None:
    """Where there is no debootstrap or no root, the trial says so and is no success."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname", "uname"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    for answer, reason in (("0", "debootstrap is not installed"), ("1000", "needs root")):
        program(tmp_path / "bin", "id", f"echo {answer}")
        result = subprocess.run(
            ["sh", str(checkout / "scripts" / "bare.sh")], capture_output=True, text=True,
            check=False, env={"PATH": str(tmp_path / "bin")},
        )  # fmt: skip
        assert result.returncode == 77
        assert f"skipped: {reason}" in result.stdout


def test_a_python_that_does_not_work_is_passed_over(bench_copy: Path) -> None:
    binaries = bench_copy.parent / "bin"
    compilers(bench_copy)
    program(binaries, "python3.13", "echo shim without a Python >&2; exit 127")
    program(
        binaries, "python3.12",
        'case "$1" in -) cat >/dev/null;; --version) echo Python 3.12.9;; -m) exit 9;; esac',
    )  # fmt: skip
    result = set_up(bench_copy)
    assert f"({binaries / 'python3.12'})" in result.stderr
    assert f"{binaries / 'python3.12'} could not make .venv" in result.stderr
    assert "shim" not in result.stderr
    assert result.returncode == 3


def test_no_python_is_said(bench_copy: Path) -> None:
    compilers(bench_copy)
    program(bench_copy.parent / "bin", "apt-get", "exit 0")
    program(bench_copy.parent / "bin", "id", "echo 0")
    result = set_up(bench_copy)
    assert result.returncode == 3
    assert "python3.13, python3.12, python3.11, python3" in result.stderr


VENV = """case "$*" in
-) cat >/dev/null ;;
--version) echo Python 3.12.9 ;;
"-m venv .venv")
    mkdir -p .venv/bin
    for name in python npubench; do cat "$0" >.venv/bin/$name; chmod 755 .venv/bin/$name; done ;;
"-m pip --version" | -c*) ;;
*) echo "$*" >>"$TRACE"; case "$*" in *"$FAIL"*) exit 1 ;; esac ;;
esac"""


def fake_python(folder: Path, fail: str) -> Path:
    """A Python whose environments hold itself, which records its calls and fails on request."""
    compilers(folder)
    chmod = shutil.which("chmod")
    assert chmod is not None
    if not (folder.parent / "bin" / "chmod").exists():
        (folder.parent / "bin" / "chmod").symlink_to(chmod)
    program(folder.parent / "bin", "python3.12", VENV.replace("$FAIL", fail))
    return folder.parent / "trace"


def test_done_is_done_until_the_lock_changes(bench_copy: Path) -> None:
    trace = fake_python(bench_copy, fail="nothing fails")
    assert set_up(bench_copy).returncode == 0
    first = trace.read_text(encoding="utf-8").splitlines()
    assert [("--no-deps" in call, "requirements.lock" in call) for call in first] == [
        (True, True),
        (True, False),
    ]
    assert set_up(bench_copy).returncode == 0
    assert trace.read_text(encoding="utf-8").splitlines() == first

    with (bench_copy / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# another\n")
    (bench_copy / ".venv" / "kept").touch()
    assert set_up(bench_copy).returncode == 0
    assert len(trace.read_text(encoding="utf-8").splitlines()) == 2 * len(first)
    assert (bench_copy / ".venv" / "kept").exists()


def test_the_full_set_up_serves_the_bench(bench_copy: Path) -> None:
    trace = fake_python(bench_copy, fail="nothing fails")
    assert set_up(bench_copy, "all").returncode == 0
    calls = trace.read_text(encoding="utf-8")
    assert "requirements-dev.lock" in calls
    assert set_up(bench_copy, "bench").returncode == 0
    assert trace.read_text(encoding="utf-8") == calls


def test_an_interrupted_set_up_is_begun_anew(bench_copy: Path) -> None:
    fake_python(bench_copy, fail="requirements.lock")
    result = set_up(bench_copy)
    assert result.returncode == 3
    assert "run the same command again" in result.stderr
    (bench_copy / ".venv" / "half-made").touch()
    fake_python(bench_copy, fail="nothing fails")
    assert set_up(bench_copy).returncode == 0
    assert not (bench_copy / ".venv" / "half-made").exists()


def test_a_moved_checkout_is_set_up_anew(bench_copy: Path) -> None:
    fake_python(bench_copy, fail="nothing fails")
    assert set_up(bench_copy).returncode == 0
    (bench_copy / ".venv" / "old").touch()
    moved = bench_copy.rename(bench_copy.parent / "moved")
    assert set_up(moved).returncode == 0
    assert not (moved / ".venv" / "old").exists()


@pytest.fixture
def echoing(bench_copy: Path) -> Path:
    """A copy whose npubench prints its words, one a line, and exits with $CODE."""
    program(bench_copy / "scripts", "setup.sh", "exit 0")
    program(bench_copy / ".venv" / "bin", "npubench", 'printf "%s\\n" "$@"; exit "${CODE:-0}"')
    return bench_copy


def test_bare_make_prints_help(echoing: Path) -> None:
    result = make(echoing)
    assert result.returncode == 0
    assert "make bench" in result.stdout
    assert "make test" in result.stdout


def test_bench_runs_the_quick_suite(echoing: Path) -> None:
    result = make(echoing, "bench")
    assert result.stdout.split() == ["bench", "kws", "vww", "ic", "ad"]


def test_options_survive_any_path(echoing: Path) -> None:
    model = echoing / "a 'model' & \"more\".tflite"
    model.touch()
    result = make(
        echoing, "bench", f"MODEL={model}", "BOARD=qemu-m7 qemu-m33", "PORT=/dev/my port",
        "BACKEND=cpu", "POWER=ppk2",
    )  # fmt: skip
    assert result.stdout.splitlines() == [
        "bench", str(model), "--board", "qemu-m7", "--board", "qemu-m33", "--backend", "cpu",
        "--port", "/dev/my port", "--power", "ppk2",
    ]  # fmt: skip


def test_a_path_that_is_not_there_stays_one_word(echoing: Path) -> None:
    result = make(echoing, "flash", "BOARD=nucleo-l4r5zi", "MODEL=no such model.tflite")
    assert result.stdout.splitlines()[:2] == ["flash", "no such model.tflite"]


def test_several_zoo_models_may_be_named(echoing: Path) -> None:
    assert make(echoing, "bench", "MODEL=kws ad").stdout.split()[:3] == ["bench", "kws", "ad"]


def test_the_environment_gives_no_options(echoing: Path) -> None:
    result = make(echoing, "flash", "BOARD=nucleo-l4r5zi", PORT="8080", MODEL="x", POWER="y")
    assert result.stdout.split() == ["flash", "kws", "--board", "nucleo-l4r5zi"]


def test_the_exit_code_of_the_tool_is_told(echoing: Path) -> None:
    result = make(echoing, "flash", "BOARD=nucleo-l4r5zi", CODE="4")
    assert result.returncode == 2
    assert "npubench flash ended with exit code 4" in result.stderr


def pins(checkout: Path, name: str) -> set[str]:
    """``name==version ; marker`` of a lock, without comments."""
    lines = (checkout / name).read_text(encoding="utf-8").splitlines()
    return {pin for line in lines if (pin := line.partition("#")[0].strip())}


def test_both_locks_agree(checkout: Path) -> None:
    """The same versions, and wherever the bench installs one, everything installs it, too."""
    bench, everything = pins(checkout, "requirements.lock"), pins(checkout, "requirements-dev.lock")
    everywhere = {pin for pin in everything if ";" not in pin}
    assert all(pin in everything or pin.partition(";")[0].strip() in everywhere for pin in bench)
    assert len(bench) < len(everything)
    assert all(re.match(r"[a-z0-9.\-]+==\S+( ; .+)?$", pin) for pin in everything)
    assert not [pin for pin in bench if pin.startswith(("tensorflow", "pytest", "ruff"))]


def test_locks_meet_the_declared_dependencies(checkout: Path) -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    base = [*project["project"]["dependencies"], *extras["ethos-u"], *groups["build"]]
    more = [*extras["train"], *(item for item in groups["dev"] if isinstance(item, str))]
    for lock, declared in (("requirements.lock", base), ("requirements-dev.lock", base + more)):
        locked: dict[str, list[str]] = {}
        for pin in map(Requirement, pins(checkout, lock)):
            versions = locked.setdefault(pin.name.replace("_", "-").lower(), [])
            versions.append(str(pin.specifier).removeprefix("=="))
        for wanted in map(Requirement, declared):
            found = locked.get(wanted.name.replace("_", "-").lower(), [])
            assert found, f"{lock} lacks {wanted.name}: run `make lock`"
            for version in found:
                assert wanted.specifier.contains(version, prereleases=True), f"{lock}: {wanted}"

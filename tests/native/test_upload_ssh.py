"""A Linux board over ssh: firmware is put there and talked to, on a loopback sshd of our own."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from npubench.bench.evaluate import timing_evidence
from npubench.boards import load_board
from npubench.build.firmware import build_firmware
from npubench.core.errors import UsageError
from npubench.core.evidence import Evidence
from npubench.core.progress import Silent
from npubench.transport.failure import DeviceEnded
from npubench.transport.ssh import SshTransport, ssh_command
from npubench.wire.conversation import timeouts_for
from npubench.wire.device import Device
from support.builder import builder_module
from support.emitted import make_project

upload = builder_module("upload")
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
pytestmark = pytest.mark.native
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="openssh-server is not installed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A loopback sshd that plays a board: ssh's options to reach it, and its home folder."""

    options: tuple[str, ...]
    address: str
    user: str
    home: Path


def _key(path: Path) -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """sshd on a socket of this process (``-i``): it serves one connection each and never stays."""
    assert SSHD is not None
    host, user = _key(tmp_path / "host_key"), _key(tmp_path / "user_key")
    home = tmp_path / "home"
    home.mkdir()
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {host}\nAuthorizedKeysFile {user}.pub\nStrictModes no\nUsePAM no\n"
        f"PidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f'ForceCommand cd "{home}" && eval "$SSH_ORIGINAL_COMMAND"\n'
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    relay = tmp_path / "relay"
    relay.write_text(f"#!/bin/sh\nexec {SSHD} -i -e -f {config} 2>>{tmp_path}/sshd.log\n")
    relay.chmod(0o755)
    options = (
        "-F", "none", "-i", str(user), "-o", f"ProxyCommand={relay}",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "LogLevel=ERROR",
    )  # fmt: skip
    name = getpass.getuser()
    return Board(options=options, address=f"ssh://{name}@localhost", user=name, home=home)


def reachable(board: Board) -> None:
    """Skip where this machine does not let its own sshd in."""
    words = ["ssh", *board.options, "-o", "BatchMode=yes", f"{board.user}@localhost", "true"]
    result = subprocess.run(
        words, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    if result.returncode != 0:
        shell = pwd.getpwnam(board.user).pw_shell
        pytest.skip(f"sshd does not let {board.user} in (shell {shell}): {result.stderr.strip()}")


@needs_sshd
def test_the_firmware_is_put_there_and_answers(board: Board) -> None:
    """Upload by the protocol's own step, then the whole client over the connection."""
    reachable(board)
    native = load_board("native")
    elf = build_firmware(make_project(native), native, reporter=Silent(), job="test").elf
    arguments = [*board.options, f"{board.user}@localhost"]
    steps = upload.upload_steps("ssh", arguments, {"elf": str(elf)}, "", "")
    assert upload.run_steps(steps) == 0
    placed = board.home / "npubench"
    assert placed.read_bytes() == elf.read_bytes()
    assert placed.stat().st_mode & 0o111
    assert [path.name for path in board.home.iterdir()] == ["npubench"]
    with SshTransport(board.address, options=board.options) as transport:
        device = Device(transport, timeouts=timeouts_for(native))
        device.sync()
        assert device.caps().board == "native"
        device.seed(1)
        assert device.kat().output


@needs_sshd
def test_a_program_that_is_not_there_ends_the_connection(board: Board) -> None:
    reachable(board)
    with (
        SshTransport(board.address, options=board.options) as transport,
        pytest.raises(DeviceEnded, match="exit code 127"),
    ):
        Device(transport, timeouts=timeouts_for(load_board("native"))).sync()


@pytest.mark.parametrize(
    "address", ["ssh://", "ssh://-oProxyCommand=x", "ssh://host/path", "http://host", "ssh://h:x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        ssh_command(address)


def test_the_words_for_ssh() -> None:
    assert ssh_command("ssh://root@192.168.42.1:2222") == (
        "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-p", "2222", "--",
        "root@192.168.42.1", "./npubench",
    )  # fmt: skip


def test_a_board_on_this_machine_measures_nothing() -> None:
    board = load_board("milkv-duo")
    assert timing_evidence(board, "ssh://me@localhost") is Evidence.MODELLED
    assert timing_evidence(board, "ssh://me@127.0.0.1:22") is Evidence.MODELLED
    assert timing_evidence(board, "ssh://root@192.168.42.1") is Evidence.MEASURED

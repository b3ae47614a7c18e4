"""The archive for a bug report helps, and tells neither who nor where."""

from __future__ import annotations

import getpass
import json
import socket
import tarfile
from pathlib import Path

import pytest

from npubench.cli.main import run
from npubench.core.paths import data_root
from npubench.toolenv import bundle

SECRET = "SN-0123-4567"


def test_the_bundle_holds_what_helps_and_no_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "annes-desk")
    monkeypatch.setattr(getpass, "getuser", lambda: "anne")
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "anne"))
    (tmp_path / "cache").mkdir()
    error = tmp_path / "cache" / "last-internal-error.txt"
    error.write_text(f"File {data_root()}/host/x.py in {Path.home()}/secret on annes-desk")
    folder = tmp_path / "runs" / "20260101T000000Z-a"
    folder.mkdir(parents=True)
    record = {
        "environment": {"board_serial": SECRET, "transport": "ssh://anne@10.0.0.7"},
        "energy": {"instrument": {"serial": SECRET, "model": "PPK2"}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    archive = tmp_path / "report.tar.gz"
    words = ["doctor", "--bundle", str(archive), "--runs-dir", str(tmp_path / "runs"), "--json"]
    assert run(words) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == ["doctor.json", "packages.txt", "last-internal-error.txt", "run.json"]
    with tarfile.open(archive) as found:
        texts = {
            Path(entry.name).name: (found.extractfile(entry) or pytest.fail("no file"))
            .read()
            .decode()
            for entry in found
        }
    everything = "\n".join(texts.values())
    for secret in (
        SECRET,
        "annes-desk",
        "anne",
        "10.0.0.7",
        str(data_root()),
        str(tmp_path / "home"),
    ):
        assert secret not in everything, secret
    assert "PPK2" in texts["run.json"]
    kept = texts["last-internal-error.txt"]
    assert kept.startswith("File (")
    assert "/host/x.py in " in kept
    assert json.loads(texts["doctor.json"])["checks"]
    assert "pydantic==" in texts["packages.txt"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("USB VID:PID=1915:C00A SER=ABC123 LOCATION=1-2", "SER=(serial)"),
        ("/dev/serial/by-id/usb-Nordic_PPK2_ABC123-if01", "/dev/serial/by-id/(serial)"),
        ("the probe with serial number 066AFF", "serial number (serial)"),
        ("version 1.2.3 at 192.168.1.20", "version 1.2.3 at (address)"),
    ],
)
def test_what_tells_the_unit_is_taken_out(text: str, kept: str) -> None:
    assert kept in bundle.redact(text)

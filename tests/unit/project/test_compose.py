"""The compose file of docs/farm.md: its desk is the one of its YAML, its commands are ours."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from npubench.cli.app import app

FOLDER = Path("docs") / "examples" / "farm"


def test_the_compose_file_hangs_together(checkout: Path) -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((checkout / FOLDER / "compose.yaml").read_text())["services"]
    desk = yaml.safe_load((checkout / FOLDER / "desk-1.yaml").read_text())["bench-1"]
    words = {name: shlex.split(service["command"]) for name, service in services.items()}
    port = words["desk"][words["desk"].index("--port") + 1]
    assert desk["NetworkSerialPort"]["port"] == int(port)
    assert (checkout / words["exporter"][-1]).is_file()
    assert services["worker"]["deploy"]["replicas"] == 2
    assert words["worker"][words["worker"].index("--nthreads") + 1] == "1"
    # The board is served on the loopback: who talks to it shares the desk's network.
    assert services["exporter"]["network_mode"] == "service:desk"
    assert services["client"]["network_mode"] == "service:desk"
    for service in services.values():
        build = service["build"]
        assert (checkout / FOLDER / build["context"]).resolve() == checkout.resolve()
        assert (checkout / build["dockerfile"]).is_file()
        assert set(service.get("depends_on", ())) <= set(services)
    verbs = {group.name for group in app.registered_groups}
    assert words["desk"][:3] == ["npubench", "boards", "serve"]
    assert words["desk"][1] in verbs

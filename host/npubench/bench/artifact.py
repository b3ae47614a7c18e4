"""What a vendor's compiler makes for a board that gets no image here, compiled as for the vendor's
simulator and kept in the cache. It is another compilation than a run's: what the tool leaves
undefined or dates in its file may differ."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import NoReturn

from npubench.bench.forms import forms_of
from npubench.bench.job import Job
from npubench.compiler.compiled import Network
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.core.errors import StorageError
from npubench.core.paths import cache_root


def hand_over(job: Job, network: Network, backend: SimulatedBackend) -> NoReturn:
    """Compile as a run on the simulator does; then NeedsVendorRuntime with figures and place.

    Raises ToolMissing, ToolError and CompileError before.
    """
    backend.check_tool()
    forms = forms_of(job, network)
    way = forms.way()
    simulation = forms.simulator.simulate(
        forms.given(),
        inputs=forms.told(tuple(array[:1] for array in forms.calibration)),
        calibration=forms.told(forms.calibration),
        ranges=forms.ranges,
        setting=way.setting,
    )
    figures = ", ".join(f"{name} {value:g}" for name, value in simulation.figures.items())
    said = f"{forms.simulator.tool} {simulation.version} compiled the network"
    said += f" ({figures})" if figures else ""
    said += f", {way.setting}," if way.setting else ""
    name, data = simulation.artifact or ("network.tflite", forms.network.data)
    digest = hashlib.sha256(data).hexdigest()
    place = _keep(backend.name, digest, name, data)
    ran = "simulator" if backend.simulates_part else "executor"
    backend.refuse(f"{said} to {name} (SHA-256 {digest[:12]}..., compiled as for its {ran})", place)


def _keep(backend: str, digest: str, name: str, data: bytes) -> str:
    folder = cache_root() / "vendor" / backend / digest[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).chmod(0o644)
        Path(draft).replace(folder / name)
    except OSError as error:
        raise StorageError(
            f"cannot keep the compiler's output in {folder}: {error.strerror}"
        ) from error
    return str(folder / name)

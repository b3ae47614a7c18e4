"""Whether the NPU can run what Vela wrote, before anything is built.

Each command stream is decoded, its waits are checked, and it runs once on the NPU's model with
memories of exactly the sizes that Vela claims: what the model refuses here, the board would refuse
after a build.
"""

from __future__ import annotations

from npubench.compiler.backends.ethos_u.output import VelaModel, job_tensors
from npubench.core.errors import CompileError


class BrokenStream(CompileError):
    """Vela wrote a stream that the NPU would not run, or not run right."""


def check_jobs(model: VelaModel, accelerator_name: str) -> None:
    """Run every job once on empty memory. Raises BrokenStream with the command that fails."""
    import numpy as np

    from npubench.npu.ethosu.config import accelerator
    from npubench.npu.ethosu.functional import FunctionalCore
    from npubench.npu.ethosu.hazards import check_hazards
    from npubench.npu.ethosu.isa import StreamError
    from npubench.npu.ethosu.payload import parse_payload
    from npubench.npu.ethosu.stream import operations

    part = accelerator(accelerator_name)
    core = FunctionalCore(part)
    jobs = [op for op in model.ops if op.is_job]
    for number, op in enumerate(jobs):
        tensors = job_tensors(model, op)
        assert tensors.stream.data is not None
        members = (tensors.scratch, *tensors.inputs, *tensors.outputs)
        end = max((tensor.offset_bytes or 0) + tensor.size_bytes for tensor in members)
        arena = np.zeros(end, dtype=np.uint8)
        fast = arena
        if tensors.fast_scratch.index != tensors.scratch.index:
            fast = np.zeros(tensors.fast_scratch.size_bytes, dtype=np.uint8)
        constants = np.frombuffer(tensors.constants.data or b"", dtype=np.uint8).copy()
        try:
            payload = parse_payload(tensors.stream.data)
            program = tuple(operations(payload.words))
            check_hazards(program, part)
            core.run(program, {0: constants, 1: arena, 2: fast})
        except StreamError as error:
            raise BrokenStream(
                f"Vela wrote what the NPU cannot run (job {number} of {len(jobs)}): "
                f"{error.message}",
                hint="try Vela's other core with --set ethos-u.core=legacy (or =default), "
                "or compile for the CPU: --backend cpu",
            ) from error

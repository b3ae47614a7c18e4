"""What an NPU's scheme costs against the network's own int8 answers, where its compiler tells."""

from __future__ import annotations

from collections.abc import Mapping

from npubench.core import format as fmt


def scheme_cost(details: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Names and values; none where the record of the NPU has no such figures.

    ``details``: of the record of the NPU, ``accuracy_*`` and ``weight_*`` among them.
    """
    noise, count = details.get("accuracy_snr_db"), details.get("accuracy_samples")
    if not isinstance(noise, int | float) or not isinstance(count, int):
        return ()
    same = details.get("accuracy_same_class_ratio")
    size = details.get("weight_bytes")
    rows = [
        ("signal to noise", f"{noise:.1f} dB against the network's own int8 answers"),
        (
            "same best class",
            f"{round(same * count) if isinstance(same, int | float) else '?'} of {count} inputs "
            f"({details.get('accuracy_inputs', 'unknown')})",
        ),
        (
            "largest error",
            f"{details.get('accuracy_largest_error')} of outputs that span "
            f"{details.get('accuracy_output_range')}",
        ),
    ]
    if isinstance(size, int):
        rows.append(("weights", f"{fmt.size(size)}, bits by layer: {details.get('weight_bits')}"))
    return tuple(rows)

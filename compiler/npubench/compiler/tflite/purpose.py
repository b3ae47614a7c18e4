"""Sound files that are something else than one network, named for what they are.

A file that a vendor's compiler made, a network with control flow, elements that no network computes
with: each has a cause and a way out of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

VENDORS_OPERATORS: Final = {
    "ethos-u": ("Vela", "an Ethos-U"),
    "edgetpu-custom-op": ("the Edge TPU compiler", "a Coral Edge TPU"),
    "NeutronGraph": ("NXP's Neutron converter", "an eIQ Neutron NPU"),
    "DISPATCH_OP": ("LiteRT's ahead-of-time compiler", "a phone's NPU"),
    "vsi-npu": ("VeriSilicon's compiler", "a VeriSilicon NPU"),
}
"""Custom operators that hold a compiled network: who made it, for what."""

CONTROL_OPERATORS: Final = ("IF", "WHILE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE")

_ELEMENTS: Final = {
    "string": "text belongs in the application: export the network behind its text processing",
    "variant": "export the network without lists, data sets and hash tables",
    "complex64": "export the network behind its Fourier transform, on real numbers",
    "complex128": "export the network behind its Fourier transform, on real numbers",
    "float64": "convert the model with float32, then quantize it to int8",
}


def compiled_by_a_vendor(custom_codes: Iterable[str]) -> tuple[str, str] | None:
    """What happened and what to do, when a file holds a network that a vendor's tool compiled."""
    for code in custom_codes:
        if code in VENDORS_OPERATORS:
            tool, engine = VENDORS_OPERATORS[code]
            return (
                f"was made by {tool}: its operator {code!r} is a network compiled for {engine}",
                "bring the int8 .tflite that was given to that tool; npubench runs the NPU's "
                "compiler itself",
            )
    return None


def branches(kinds: Iterable[str], subgraphs: int) -> tuple[str, str] | None:
    """What happened and what to do, when a network is more than one pass over its operators."""
    kinds = tuple(dict.fromkeys(kinds))
    control = [kind for kind in CONTROL_OPERATORS if kind in kinds]
    if control:
        return (
            f"has control flow ({', '.join(control)}), {subgraphs} subgraphs",
            "export one function whose operators all run at every inference",
        )
    if subgraphs != 1 and "CALL_ONCE" not in kinds:
        return (
            f"has {subgraphs} subgraphs, exactly one can be run",
            "export one function (one signature) into a file of its own",
        )
    return None


def element_hint(dtype: str) -> str:
    """What to do about elements of a type that no kernel reads."""
    return _ELEMENTS.get(
        dtype, f"export the model without {dtype}: cast what needs it to int8 or int32 outside"
    )

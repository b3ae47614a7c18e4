"""What an NPU's scheme costs, as it is told."""

from __future__ import annotations

from npubench.report.scheme_cost import cost_rows, told_cost

DETAILS = {
    "accuracy_snr_db": 24.9,
    "accuracy_lowest_snr_db": 22.31,
    "accuracy_samples": 16,
    "accuracy_inputs": "generated noise",
    "accuracy_same_class_ratio": 0.8125,
    "accuracy_largest_error": 2.75,
    "accuracy_output_range": 25.5,
    "accuracy_worst_op": "3 CONV_2D",
    "weight_bits": "4 8 8",
    "weight_bytes": 4096,
}


def test_the_cost_that_a_compiler_tells() -> None:
    cost = told_cost(DETAILS)
    assert cost is not None
    rows = dict(cost_rows(cost, DETAILS))
    assert rows["signal to noise"] == "22.3 dB against the network's own int8 answers"
    assert rows["same best class"] == "13 of 16 inputs (generated noise)"
    assert rows["largest error"] == "2.75 of outputs that span 25.5"
    assert rows["most noise"] == "comes in at operator 3 CONV_2D"
    assert rows["weights"].endswith("bits by layer: 4 8 8")
    assert told_cost({"tool": "ai8x-synthesis"}) is None

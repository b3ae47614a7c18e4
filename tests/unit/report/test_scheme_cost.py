"""What an NPU's scheme costs, as it is told."""

from __future__ import annotations

from npubench.report.scheme_cost import scheme_cost


def test_the_cost_is_told_where_it_is_known() -> None:
    rows = dict(
        scheme_cost(
            {
                "accuracy_snr_db": 22.31,
                "accuracy_samples": 16,
                "accuracy_inputs": "generated noise",
                "accuracy_same_class_ratio": 0.8125,
                "accuracy_largest_error": 2.75,
                "accuracy_output_range": 25.5,
                "weight_bits": "4 8 8",
                "weight_bytes": 4096,
            }
        )
    )
    assert rows["signal to noise"] == "22.3 dB against the network's own int8 answers"
    assert rows["same best class"] == "13 of 16 inputs (generated noise)"
    assert rows["largest error"] == "2.75 of outputs that span 25.5"
    assert rows["weights"].endswith("bits by layer: 4 8 8")
    assert scheme_cost({"tool": "ai8x-synthesis"}) == ()

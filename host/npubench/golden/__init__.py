"""The right answer of a network, and second opinions on it.

``tflm`` has TensorFlow Lite Micro's, bit by bit; ``opinion`` asks others, tensor by tensor, where a
board gives another one. Foreign code runs in processes of its own (``python -m
npubench.golden.worker``); what they answer is kept on disk by content.
"""

from __future__ import annotations

from npubench.golden.answer import Golden, Reference, ReferenceUnavailable
from npubench.golden.tflm import golden_outputs, tflm_version

__all__ = ["Golden", "Reference", "ReferenceUnavailable", "golden_outputs", "tflm_version"]

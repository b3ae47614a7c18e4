"""What a file that is no .tflite looks like, for a message that helps its owner."""

from __future__ import annotations

from typing import Final

_SIGNATURES: Final = (
    (b"\x7fELF", "an ELF program or object file"),
    (b"PK\x03\x04", "a zip archive (a .keras model, a .pt model and a .zip look like this)"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (an old Keras .h5 model looks like this)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89PNG", "a PNG image"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF language model"),
    (b"version https://git-lfs", "a Git LFS pointer; the model itself has not been fetched"),
)


def describe_file(data: bytes) -> str:
    """One phrase on what the bytes look like, e.g. ``the file is empty``."""
    if not data:
        return "the file is empty"
    for signature, phrase in _SIGNATURES:
        if data.startswith(signature):
            return f"it looks like {phrase}"
    if len(data) < 8:
        return f"the file has only {len(data)} bytes"
    if _is_onnx(data):
        return "it looks like an ONNX model"
    if data[4:7] == b"TFL":
        return f"its TensorFlow Lite identifier is {data[4:8]!r}, not b'TFL3'"
    if _is_text(data[:512]):
        return "it looks like text"
    return f"its identifier is {data[4:8]!r}, not b'TFL3'"


def _is_onnx(data: bytes) -> bool:
    """ONNX is a protocol buffer: field 1 (ir_version, a small number), then the producer's name
    (field 2, text) or another early field of ModelProto."""
    return data[0] == 0x08 and 0 < data[1] < 32 and data[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)

"""Published images come from where they were published, and are believed by their hash alone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from npubench.core.errors import ToolError, UsageError
from npubench.core.progress import Silent
from npubench.cycles.images import Image, load_images
from npubench.referee.fetch import SOURCE, address, choose_images, fetch_images

DATA = bytes(range(256)) * 8


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        del words


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server on this machine, and the folder that it serves."""
    root = tmp_path / "served"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", root
        http.shutdown()
        thread.join()


def planted(root: Path, data: bytes, *, path: str = "closed/a b/ad.bin") -> Image:
    image = load_images()[0].model_copy(
        update={
            "path": path,
            "size_bytes": len(DATA),
            "sha256": hashlib.sha256(DATA).hexdigest(),
        }
    )
    place = root / image.repository.removeprefix("github.com/") / "HEAD" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    return image


def test_an_image_is_fetched_once_and_whole(server: tuple[str, Path], tmp_path: Path) -> None:
    source, root = server
    image = planted(root, DATA)
    (path,) = fetch_images(tmp_path / "got", [image], reporter=Silent(), source=source)
    assert path.read_bytes() == DATA
    assert path.suffix == ".bin"
    for file in root.rglob("*.bin"):
        file.unlink()
    assert fetch_images(tmp_path / "got", [image], reporter=Silent(), source=source) == [path]


def test_another_file_is_thrown_away(server: tuple[str, Path], tmp_path: Path) -> None:
    source, root = server
    image = planted(root, DATA[::-1])
    with pytest.raises(ToolError, match="SHA-256"):
        fetch_images(tmp_path / "got", [image], reporter=Silent(), source=source)
    assert not [path for path in (tmp_path / "got").rglob("*") if path.is_file()]


def test_what_is_gone_is_said(server: tuple[str, Path], tmp_path: Path) -> None:
    source, root = server
    image = planted(root, DATA).model_copy(update={"path": "closed/gone.bin"})
    with pytest.raises(ToolError, match="cannot be fetched"):
        fetch_images(tmp_path / "got", [image], reporter=Silent(), source=source)


def test_every_known_image_has_an_address_and_a_size() -> None:
    for image in load_images():
        assert image.size_bytes > 64
        assert address(image).startswith(f"{SOURCE}/mlcommons/tiny_results_v1.")
        assert " " not in address(image)


def test_images_are_chosen_by_board() -> None:
    assert {image.part for image in choose_images("nucleo-l4r5zi")} == {"STM32L4R5ZI"}
    assert len(choose_images(None)) == len(load_images())
    with pytest.raises(UsageError, match="no published images are known for qemu-m4"):
        choose_images("qemu-m4")

"""Published images, brought from the public repositories onto this machine, believed by their hash.

No byte of them is in this project; who wants to judge them again has them fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from npubench.boards import load_board
from npubench.core.download import download
from npubench.core.errors import UsageError
from npubench.core.progress import Event, Reporter
from npubench.cycles.images import Image, load_images

SOURCE = "https://raw.githubusercontent.com"


def choose_images(board_id: str | None, images: Sequence[Image] | None = None) -> list[Image]:
    """The known images of a board's part, or all. Raises UsageError when there are none."""
    known = load_images() if images is None else images
    if board_id is None:
        return list(known)
    part = load_board(board_id).part
    found = [image for image in known if part.startswith(image.part)]
    if not found:
        raise UsageError(
            f"no published images are known for {board_id} ({part or 'no part is named'})",
            hint=f"there are some for {', '.join(sorted({image.part for image in known}))}",
        )
    return found


def address(image: Image, *, source: str = SOURCE) -> str:
    """Where an image is fetched from."""
    owner_and_name = image.repository.removeprefix("github.com/")
    return f"{source}/{owner_and_name}/HEAD/{quote(image.path)}"


def fetch_images(
    folder: Path, images: Sequence[Image], *, reporter: Reporter, source: str = SOURCE
) -> list[Path]:
    """Bring images into ``folder``, named by what they are; those that are there already, whole,
    stay. Raises what download raises: ToolError for another file than the known one."""
    found = []
    for image in images:
        suffix = PurePosixPath(image.path).suffix or ".bin"
        name = f"{image.release} {image.benchmark} {image.mode}".replace(" ", "-")
        path = folder / f"{name}-{image.sha256[:8]}{suffix}"
        reporter.event(Event(job=path.name, step="fetch", state="start"))
        url = address(image, source=source)
        download(url, path, sha256=image.sha256, size_bytes=image.size_bytes)
        reporter.event(Event(job=path.name, step="fetch", state="done"))
        found.append(path)
    return found

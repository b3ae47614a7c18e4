"""For which board an image is: its vectors and the addresses that it holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.boards import Board, load_board
from npubench.core.errors import UsageError
from npubench.emulators.board_model.foreign import ForeignPart, foreign_boards, load_foreign
from npubench.emulators.board_model.image import Segment, read_image

LEAST_SHARE = 0.5
RANDOM_BITS = 7.9
"""Entropy of a byte; code and constants have 5 to 7.5, what is encrypted 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A board and how much of what identifies it was found in the image (0 to 1)."""

    board: str
    share: float


def identify(image: Path) -> str:
    """The board whose model should run ``image``. Raises UsageError when none fits, with what was
    looked at."""
    segments = read_image(image)
    guesses = rank(segments)
    if guesses and guesses[0].share >= LEAST_SHARE:
        return guesses[0].board
    sp, reset = (int.from_bytes(segments[0].data[at : at + 4], "little") for at in (0, 4))
    raise UsageError(
        f"no board fits {image.name}: its first words are stack {sp:#010x} and reset "
        f"{reset:#010x}, {_unlike(segments, reset)}",
        hint=f"--board says for which part it is ({', '.join(foreign_boards())})",
    )


def told_apart(image: Path, board_id: str) -> str | None:
    """The board whose registers an image names more of than of ``board_id``'s, if there is one."""
    shares = {guess.board: guess.share for guess in rank(read_image(image))}
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is None or shares[best] < LEAST_SHARE or shares[best] <= shares.get(board_id, 0.0):
        return None
    return best


def _unlike(segments: Sequence[Segment], reset: int) -> str:
    """What is unlike an image for a part that is known."""
    data = b"".join(segment.data for segment in segments)
    shares = [count / len(data) for count in Counter(data).values()]
    bits = -sum(share * math.log2(share) for share in shares)
    if bits > RANDOM_BITS:
        return f"and its bytes look like noise ({bits:.2f} bits each): it is encrypted, or no image"
    first = segments[0].address
    if first is not None and not first <= reset < first + len(segments[0].data):
        return f"but it lies at {first:#010x}: it is for another address"
    return "and no part's registers are named in it: it is for another part"


def rank(segments: Sequence[Segment]) -> list[Guess]:
    """Every board whose memories the image's vectors fit, best first."""
    words: set[bytes] = set()
    for segment in segments:
        data = segment.data
        words |= {data[at : at + 4] for at in range(0, len(data) - 3, 4)}
    found = []
    for name in foreign_boards():
        board = load_board(name)
        part = load_foreign(board)
        if _vectors_fit(board, part, segments):
            held = sum(address.to_bytes(4, "little") in words for address in part.identify)
            found.append(Guess(board=name, share=held / len(part.identify)))
    found.sort(key=lambda guess: (-guess.share, guess.board))
    return found


def _vectors_fit(board: Board, part: ForeignPart, segments: Sequence[Segment]) -> bool:
    code = board.region("code")
    base = code.base if part.flash is None else part.flash
    start = base if part.vectors is None else part.vectors
    for segment in segments:
        address = base if segment.address is None else segment.address
        offset = start - address
        if 0 <= offset <= len(segment.data) - 8:
            sp, reset = (
                int.from_bytes(segment.data[offset + at : offset + at + 4], "little")
                for at in (0, 4)
            )
            stacks = [(r.base, r.size_bytes) for r in board.memory if "ram" in r.roles]
            stacks += [(r.base, r.size_bytes) for r in part.memory if r.writable]
            in_ram = any(at < sp <= at + size for at, size in stacks)
            in_code = code.base <= reset < code.base + code.size_bytes and reset & 1
            return bool(in_ram and in_code)
    return False

"""The weights follow from the stored counts, and the errors told are those of images not seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from npubench.boards import board_ids, load_board
from npubench.cycles.images import load_images
from npubench.cycles.terms import CANDIDATES, instructions
from npubench.cycles.weights import cycles_range, load_weights, sentence
from npubench.emulators.board_model.foreign import foreign_boards, load_foreign
from npubench.referee.fit import fit_part


@pytest.mark.parametrize("part", sorted(load_weights()))
def test_the_fit_from_stored_counts_gives_the_stored_weights(part: str) -> None:
    images = [image for image in load_images() if image.part == part and image.is_fitted]
    assert fit_part(part, images) == load_weights()[part]


def test_every_image_is_counted_or_says_why_not() -> None:
    for image in load_images():
        assert bool(image.counts) != bool(image.reason), image.path
        if image.counts:
            assert instructions(image.counts) == image.instructions, image.path


def test_identical_code_counts_once() -> None:
    seen = set()
    for image in load_images():
        if image.is_fitted:
            key = (image.part, image.published_cycles, image.instructions, image.benchmark)
            assert key not in seen, image.path
            seen.add(key)


@pytest.mark.parametrize("part", sorted(load_weights()))
def test_ranges_hold_the_published_cycles_of_most_images(part: str) -> None:
    weights = load_weights()[part]
    assert len(weights.models[0].terms) <= 3
    assert set(weights.models[0].terms) <= set(CANDIDATES[weights.core])
    images = [image for image in load_images() if image.part == part and image.is_fitted]
    inside = 0
    for image in images:
        found = cycles_range(weights, image.counts)
        assert found.low <= found.mid <= found.high
        assert found.low <= 0.991 * found.mid
        inside += found.low <= image.published_cycles <= found.high
    assert inside >= 0.9 * len(images)
    assert f"{weights.images} images" in sentence(weights)


@pytest.mark.parametrize("name", foreign_boards())
def test_every_foreign_description_is_sound(name: str) -> None:
    assert name in board_ids()
    board = load_board(name)
    part = load_foreign(board)
    assert part.identify
    assert part.uart
    assert board.part


def test_the_page_of_fidelity_is_current(checkout: Path) -> None:
    program = [sys.executable, "scripts/fidelity.py", "--check"]
    result = subprocess.run(program, cwd=checkout, check=False)
    assert result.returncode == 0, "docs/fidelity.md is stale: run scripts/fidelity.py"

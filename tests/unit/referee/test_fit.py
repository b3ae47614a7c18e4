"""The weights follow from the stored counts, and the errors told are those of images not seen."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npubench.boards import board_ids, load_board
from npubench.cycles.images import Image, load_images
from npubench.cycles.rebuilt import load_rebuilt
from npubench.cycles.terms import WAYS, expected, forms, instructions
from npubench.cycles.weights import cycles_range, load_cores, load_weights, sentence
from npubench.emulators.board_model.foreign import foreign_boards, load_foreign
from npubench.referee.clocks import core_hz
from npubench.referee.core_fit import fit_core, fit_cores
from npubench.referee.fit import fit_form, fit_part, held_out, samples_of, unseen_of


@pytest.mark.parametrize("part", sorted(load_weights()))
def test_the_fit_from_stored_counts_gives_the_stored_weights(part: str) -> None:
    images = [image for image in load_images() if image.part == part and image.is_fitted]
    unseen = unseen_of(part, load_images(), load_rebuilt())
    assert fit_part(part, images, unseen) == load_weights()[part]


def test_the_fit_of_cores_gives_the_stored_weights() -> None:
    found = {weights.core: weights for weights in fit_cores(load_images(), load_rebuilt())}
    assert found == load_cores()
    assert set(found) == {"cortex-m4", "cortex-m33", "cortex-m7"}


def test_a_core_is_judged_on_parts_that_it_has_not_seen() -> None:
    """Whatever the images of a part say, its own prediction stays what the others make it."""
    parts: dict[str, list[Image]] = {}
    for image in load_images():
        if image.core == "cortex-m7" and image.is_fitted:
            parts.setdefault(image.part, []).append(image)
    first, second = sorted(parts)
    before = fit_core("cortex-m7", parts)
    bent = [
        image.model_copy(update={"published_cycles": 3 * image.published_cycles})
        for image in parts[second]
    ]
    after = fit_core("cortex-m7", {first: parts[first], second: bent})
    assert before.worst_pct < 15
    assert after.under_pct == pytest.approx(100 - (100 - before.under_pct) / 3, abs=5)


def test_every_image_is_counted_or_says_why_not() -> None:
    for image in load_images():
        assert bool(image.counts) != bool(image.reason), image.path
        if image.counts:
            assert instructions(image.counts) == image.instructions, image.path


def test_no_image_in_a_fit_contradicts_its_stated_clock() -> None:
    """Cycles are latency times clock: an image that set up another one would fit a wrong weight."""
    told = 0
    for image in load_images():
        if image.is_fitted:
            hz = core_hz(image.part, image.registers)
            told += hz is not None
            assert hz is None or hz == pytest.approx(image.hz, rel=0.01), image.path
    assert told > 40


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
    assert {tuple(model.terms) for model in weights.models} <= set(forms(weights.core, part))
    assert all(len(model.terms) <= 3 for model in weights.models)
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


def test_a_weight_that_the_images_say_nothing_of_is_what_documents_expect() -> None:
    """Images without a term leave its weight alone; with many, they decide."""
    images = [image for image in load_images() if image.part == "STM32L4R5ZI" and image.is_fitted]
    form = ("load_last", "data8", "taken")
    none = [image.model_copy(update={"counts": image.counts | {"data8": 0}}) for image in images]
    everything = np.ones(len(images), dtype=bool)
    silent = fit_form(samples_of(none), form, everything)
    belief = expected("cortex-m4", "data8", samples_of(none).wait_states)
    assert silent[1] == pytest.approx(belief.mean)
    told = fit_form(samples_of(images), form, everything)
    assert abs(told[1] - belief.mean) > 0.3


def test_what_is_held_out_has_no_part_in_its_prediction() -> None:
    """Errors of an engine stay what they are, whatever its own images say."""
    images = [image for image in load_images() if image.part == "STM32U575ZI" and image.is_fitted]
    everything = np.ones(len(images), dtype=bool)
    samples = samples_of(images)
    before = (held_out(samples, samples.groups, everything) + 1) * samples.published
    other = images[0].engine
    bent = [
        image.model_copy(update={"published_cycles": 2 * image.published_cycles})
        if image.engine == other
        else image
        for image in images
    ]
    samples = samples_of(bent)
    after = (held_out(samples, samples.groups, everything) + 1) * samples.published
    theirs = samples.groups == other
    assert after[:, theirs] == pytest.approx(before[:, theirs])
    assert abs(after[:, ~theirs] / before[:, ~theirs] - 1).min() > 0.1


def test_every_way_of_counting_was_counted_or_is_left_out_for_all() -> None:
    for part, weights in load_weights().items():
        images = [image for image in load_images() if image.part == part and image.is_fitted]
        assert len(weights.models) == len(samples_of(images).forms) > 1
        assert len(weights.models) <= math.prod(len(way) for way in WAYS[weights.core])


def test_images_that_were_kept_back_are_in_no_fit() -> None:
    kept = [image for image in load_images() if image.predicted is not None]
    assert len(kept) == 8
    assert not any(image.is_fitted for image in kept)
    errors = [abs((i.predicted.mid if i.predicted else 0) / i.published_cycles - 1) for i in kept]
    assert max(errors) < 0.05


def test_ranges_hold_what_was_kept_back() -> None:
    """Images that no fit has seen are the best evidence: a displayed range covers them."""
    for image in load_images():
        if image.predicted is not None:
            found = cycles_range(load_weights()[image.part], image.counts)
            assert found.low <= image.published_cycles <= found.high, image.path
    for row in load_rebuilt():
        weights = load_weights().get(row.weights) or load_cores()[row.weights]
        found = cycles_range(weights, row.counts)
        assert found.low <= row.published_cycles <= found.high, row.release


@pytest.mark.parametrize(
    ("part", "goal"),
    [
        ("STM32F746NG", (7, 16)),
        ("STM32G0B1RE", (4, 12)),
        ("STM32H7A3ZI", (7, 16)),
        ("STM32L4R5ZI", (5.1, 12)),
        ("STM32U575ZI", (4, 10)),
    ],
)
def test_errors_with_a_form_chosen_in_the_fold_stay_where_they_are(
    part: str, goal: tuple[float, float]
) -> None:
    weights = load_weights()[part]
    assert (weights.chosen_mean_pct <= goal[0], weights.chosen_worst_pct <= goal[1]) == (True, True)
    assert weights.mean_pct <= goal[0]
    assert weights.worst_pct <= goal[1]


def test_a_part_takes_the_way_that_its_manual_names() -> None:
    l4 = {term for form in forms("cortex-m4", "STM32L4R5ZI") for term in form}
    psoc = {term for form in forms("cortex-m4", "CY8C624A") for term in form}
    unknown = {term for form in forms("cortex-m4") for term in form}
    assert "data16" in unknown - l4
    assert {"miss_u8k"} == {term for term in psoc if term.startswith(("data", "miss"))}


def test_the_page_of_fidelity_is_current(checkout: Path) -> None:
    program = [sys.executable, "scripts/fidelity.py", "--check"]
    result = subprocess.run(program, cwd=checkout, check=False)
    assert result.returncode == 0, "docs/fidelity.md is stale: run scripts/fidelity.py"

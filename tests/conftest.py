"""What all tests share: where the checkout is, and reference models that may lie beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout that the tests belong to."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Folder of reference models beside the checkout; the test is skipped where there is none."""
    folder = CHECKOUT.parent / "shared" / "data" / "models"
    if not folder.is_dir():
        pytest.skip("the folder of reference models (../shared/data/models) is not there")
    return folder

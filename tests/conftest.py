"""What all tests share: where the checkout is, and reference models that may lie beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CHECKOUT = Path(__file__).resolve().parents[1]

# How fast examples come depends on the machine's other work, and is no property of what is tested.
settings.register_profile("npubench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("npubench")


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

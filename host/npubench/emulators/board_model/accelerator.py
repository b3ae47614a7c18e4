"""An accelerator on a board's model: power and clock from the board's registers, the rest from its
model in ``npu``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from npubench.emulators.board_model.description import Condition, RegisterModel

if TYPE_CHECKING:
    from npubench.npu.max7800x.accelerator import Range


class Attached:
    """The accelerator of ``model``. Without power it forgets; without power or clock it reads 0
    and takes nothing. ``holds`` tells whether conditions hold."""

    def __init__(
        self, model: RegisterModel, holds: Callable[[tuple[Condition, ...]], bool]
    ) -> None:
        from npubench.npu.max7800x.accelerator import Accelerator

        part = model.accelerator
        assert part is not None
        self.accelerator = Accelerator(part.part)
        self._power = model.conditions(part.power, "")
        self._needs = self._power + model.conditions(part.needs, "")
        self._holds = holds
        self._has_power = False

    def ranges(self) -> tuple[Range, ...]:
        """Where it lies on the bus."""
        return self.accelerator.ranges()

    def look(self) -> None:
        """After each store to the board's registers: it forgets as soon as its power goes."""
        powered = self._holds(self._power)
        if self._has_power and not powered:
            self.accelerator.power_off()
        self._has_power = powered

    def read(self, address: int, size: int) -> int:
        """A load of 1, 2 or 4 bytes."""
        return self.accelerator.read(address, size) if self._holds(self._needs) else 0

    def write(self, address: int, size: int, value: int) -> None:
        """A store. Raises AcceleratorStopped when it starts what the model cannot do."""
        if self._holds(self._needs):
            self.accelerator.write(address, size, value)

"""Board models: the very image that would be flashed, on a CPU emulator (Unicorn) whose registers
are described next to the board (``boards/<id>/registers.toml``). It counts instructions; it knows
no cycles, no wait states and no caches, and no analogue or timing behaviour of the part."""

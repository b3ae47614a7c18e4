"""``python -m npubench.referee BOARD IMAGE SEED LIMIT_S BOOT_LIMIT_S``: judge one image, as JSON on
stdout. A process of its own; the referee proper starts it and ends it when its time is over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from npubench.boards import load_board
from npubench.core.errors import NpubenchError
from npubench.referee.session import judge


def main(words: list[str]) -> int:
    """Judge one image; the exit code is that of the error."""
    board_id, image, seed, limit_s, boot_limit_s = words
    try:
        document = judge(
            load_board(board_id),
            Path(image),
            seed=int(seed),
            limit_s=float(limit_s),
            boot_limit_s=float(boot_limit_s),
        )
    except NpubenchError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(document))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

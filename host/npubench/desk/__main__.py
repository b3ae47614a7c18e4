"""`python -m npubench.desk`: the hands at a desk."""

from __future__ import annotations

from npubench.desk.hands import main

if __name__ == "__main__":
    main()

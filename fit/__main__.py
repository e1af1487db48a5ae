"""``python -m fit``."""

from fit.allocation import keep_memory
from fit.cli import main

if __name__ == "__main__":
    keep_memory()
    main()

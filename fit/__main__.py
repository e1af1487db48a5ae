"""``python -m fit``."""

from fit.cli import main

if __name__ == "__main__":
    main()

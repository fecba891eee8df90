"""``python -m fer``."""

from fer.cli import main

if __name__ == "__main__":
    main()

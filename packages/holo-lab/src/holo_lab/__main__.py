"""The program ``holo``, also as ``python -m holo_lab``."""

import sys

from holo_types.launch import launch

__all__ = ["main"]


def main() -> int:
    """Run the command line and return its exit status."""
    return launch("holo_lab.cli.program")


if __name__ == "__main__":
    sys.exit(main())

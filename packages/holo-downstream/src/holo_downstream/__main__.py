"""The program ``holo-downstream``, which also runs as ``python -m holo_downstream``."""

import sys

from holo_types.launch import launch

__all__ = ["main"]


def main() -> int:
    """Run the command line and return its exit status."""
    return launch("holo_downstream.cli.program")


if __name__ == "__main__":
    sys.exit(main())

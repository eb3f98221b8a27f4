"""``python -m holo_lab``: the program ``holo``, where its folder is on no path."""

import sys

from .cli.program import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m holo_features``: the console script, where its folder is on no path."""

import sys

from .cli.program import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m hff``; see ``hff.cli``."""

import sys

from hff.cli import main

if __name__ == "__main__":
    sys.exit(main())

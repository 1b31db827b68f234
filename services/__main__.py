"""`python -m services`: the command line, as `prequel` is."""

import sys

from prequel.services.cli.composition import main

if __name__ == "__main__":
    sys.exit(main())

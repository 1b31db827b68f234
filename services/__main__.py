"""`python -m prequel.services` runs the command line, as `prequel` does."""

import sys

from prequel.services.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

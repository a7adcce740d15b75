"""`python -m services.all_in_one` runs the whole suite."""

import sys

from services.all_in_one.app import run_all_in_one

if __name__ == "__main__":
    sys.exit(run_all_in_one())

"""The commands of `prequel`, one file per group; parser.py has the table of them."""

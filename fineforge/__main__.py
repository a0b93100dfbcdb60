"""`python -m fineforge`: the command line."""

from fineforge.cli import main

if __name__ == "__main__":
    main()

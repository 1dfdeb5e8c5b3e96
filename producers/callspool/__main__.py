"""`python -m callspool` is the command `callspool`."""

from callspool.cli import main

if __name__ == "__main__":
    main()

"""`python -m chaos`."""

from chaos.command import main

if __name__ == "__main__":
    main()

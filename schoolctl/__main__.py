"""`python -m schoolctl`: the same as the installed command."""

from schoolctl.app import main

if __name__ == "__main__":
    main()

"""``python -m slpnb``."""

from slpnb.cli.main import main

if __name__ == "__main__":
    main()

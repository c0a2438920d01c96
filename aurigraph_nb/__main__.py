"""``python -m aurigraph_nb`` is ``aurigraph-nb``."""

from .cli import main

if __name__ == "__main__":
    main()

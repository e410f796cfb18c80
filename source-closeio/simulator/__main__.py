"""`python -m simulator --port 8080 --activities 100000`: run until interrupted. Every setting is an option."""

from __future__ import annotations

from simkit.command_line import chosen, options, serve

from .settings import Settings
from .simulator import CloseSimulator


def main() -> None:
    given = vars(options(__doc__, Settings).parse_args())
    serve(CloseSimulator(Settings(**chosen(given, Settings)), given["port"]))


if __name__ == "__main__":
    main()

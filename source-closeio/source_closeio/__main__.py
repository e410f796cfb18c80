"""`python -m source_closeio`: the same as the console script `source-closeio`."""

from source_closeio.run import run

if __name__ == "__main__":
    run()

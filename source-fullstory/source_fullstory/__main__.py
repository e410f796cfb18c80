"""`python -m source_fullstory`: the same as the console script `source-fullstory`."""

from source_fullstory.run import run

if __name__ == "__main__":
    run()

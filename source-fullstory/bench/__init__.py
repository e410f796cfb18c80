"""Benchmarks of the connector against the simulator, as ratios to a floor program in the same run."""

"""What the simulators, tests and benchmarks of both connectors share; never in an image."""

"""What the simulators, tests and benchmarks of both connectors share; never in an image.

simulator, server, control   an API on localhost: `class XSimulator(Simulator[Request])` adds what one API has
request, reply, faults       what goes over the wire, and what goes wrong there
settings, command_line       what a simulator can be told; `python -m simulator`, and `running` it from elsewhere
syncs                        a sync in a process of its own, killed at a line of its output or at a request
processes, table, benchmark  `python -m bench`
imports                      which modules import each other
"""

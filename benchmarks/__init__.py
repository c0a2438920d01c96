"""Benchmarks: ``python -m benchmarks.NAME --json`` measures ours and what one would take instead, by turns, in one run.

Each prints one JSON object, medians of at least three rounds. On a machine that has nothing else to do it takes about a
minute, unless ``--full`` is given. They report figures and judge nothing; tests never time anything.
"""

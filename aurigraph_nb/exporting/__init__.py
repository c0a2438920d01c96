"""Recordings in other formats: one module a kind of format, all of them written whole or not at all.

``tables`` writes rows (Parquet, Arrow, CSV, JSON lines), ``database`` a DuckDB file, ``messages`` the frames as they
came (MCAP). ``cells`` keeps texts from being formulas, ``atomic`` gives a file its name when it is whole, ``progress``
draws the bar.
"""

"""Recordings as people read them: a feed that is over, whose rows come from the disk when they are asked for.

:mod:`.recording` is the front; :mod:`.source` says what it needs of a place where rows are, which is a directory
(:mod:`.directory`, :mod:`.parts`) or memory (:mod:`.memory`); :mod:`.rows` finds the rows of a range without reading
the rest; :mod:`.scale` hands them to SQL, Polars and Dask.
"""

"""Recordings: a directory in which nothing that a feed saw gets lost.

``journal/`` holds the frames as they came, in files of compressed JSON lines that survive the sudden end of the process
(:mod:`.lines` says what stands in a line). When a segment of the journal is full it is sealed: packed tightly, and
decoded to one Parquet file a topic. The Parquet files can be made again from the journal at any time.
"""

"""Follows access lines while somebody watches, whatever the log does with them.

    line_ring.py   the memory of one worker, in which it leaves lines while it is followed
    follower.py    reads the rings of all workers for one reader

A worker looks once in each beat whether it is followed. While nobody follows, a request costs one check.
"""

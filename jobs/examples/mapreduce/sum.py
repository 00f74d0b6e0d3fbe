#!/usr/bin/env python3
"""Reducer and combiner: the sum of each key's values; keys come sorted."""
import sys
from itertools import groupby

pairs = (line.rstrip(b"\n").split(b"\t", 1) for line in sys.stdin.buffer)
for key, group in groupby(pairs, lambda pair: pair[0]):
    sys.stdout.buffer.write(b"%s\t%d\n" % (key, sum(int(value) for _, value in group)))

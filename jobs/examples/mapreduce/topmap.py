#!/usr/bin/env python3
"""Mapper: of the lines NAME TAB COUNT the TOP with the highest counts, as COUNT TAB NAME."""
import heapq
import os
import sys

lines = (line.rstrip("\n").split("\t") for line in sys.stdin)
pairs = ((int(count), name) for name, count in lines)
for count, name in heapq.nlargest(int(os.environ["TOP"]), pairs):
    print(count, name, sep="\t")

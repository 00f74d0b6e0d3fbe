#!/usr/bin/env python3
"""Reducer: whether the files, in the order of their names, are one sorted sequence."""
import sys

rows, total, disorder, last = 0, 0, 0, ""
for line in sys.stdin:
    name, rest = line.rstrip("\n").split("\t")
    first, end, n, part, inside = rest.split()
    if first < last:
        print(f"out of order\t{name} begins before the file before it ends")
    if int(inside):
        print(f"out of order\t{name} in {inside} places")
    last, rows, total = end, rows + int(n), total + int(part, 16)
print(f"rows\t{rows}")
print(f"checksum\t{total:x}")

#!/usr/bin/env python3
"""Reducer: the first TOP lines; they come with the highest count first."""
import os
import sys

lines = sorted(((int(c), n) for c, n in (line.rstrip("\n").split("\t") for line in sys.stdin)), key=lambda pair: (-pair[0], pair[1]))
for count, name in lines[: int(os.environ["TOP"])]:
    print(count, name, sep="\t")

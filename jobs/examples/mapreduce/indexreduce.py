#!/usr/bin/env python3
"""Reducer: each word with all its places, sorted."""
import sys
from itertools import groupby

pairs = (line.rstrip("\n").split("\t", 1) for line in sys.stdin)
for word, group in groupby(pairs, lambda pair: pair[0]):
    places = (place.split(":") for place in sorted(place for _, place in group))
    print(word, " ".join(f"{book}:{int(offset)}" for book, offset in places), sep="\t")

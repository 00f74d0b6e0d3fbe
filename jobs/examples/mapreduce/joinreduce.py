#!/usr/bin/env python3
"""Reducer: every order with the name of who made it; orders of nobody are counted."""
import sys

person, name = None, None
for line in sys.stdin:
    key, tag, *rest = line.rstrip("\n").split("\t")
    if tag == "0":
        person, name = key, rest[0]
    elif key == person:
        print(rest[0], f"{name}\t{rest[1]}", sep="\t")
    else:
        print("reporter:counter:Join,Orders of nobody,1", file=sys.stderr)

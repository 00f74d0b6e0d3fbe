#!/usr/bin/env python3
"""Mapper: people as ID TAB 0 TAB name, orders as ID TAB 1 TAB order and thing.

The first two fields are the key, so a person comes before their orders; the
partitioner looks at the first alone, so all of them reach the same reducer.
"""
import os
import sys

people = os.environ["mapreduce_map_input_file"].endswith("people.tsv")
for line in sys.stdin:
    fields = line.rstrip("\n").split("\t")
    if people:
        print(fields[0], 0, fields[1], sep="\t")
    else:
        print(fields[1], 1, fields[0], fields[2], sep="\t")

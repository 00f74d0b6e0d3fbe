#!/usr/bin/env python3
"""Mapper: every word with the file and the byte offset of the line it is in.

With stream.map.input.ignoreKey=false each line comes as offset TAB line.
"""
import os
import re
import sys

book = os.path.basename(os.environ["mapreduce_map_input_file"])
for line in sys.stdin:
    offset, text = line.rstrip("\n").split("\t", 1)
    for word in sorted(set(re.findall("[a-z]+", text.lower()))):
        print(f"{word}\t{book}:{int(offset):08d}")

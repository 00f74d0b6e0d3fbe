#!/usr/bin/env python3
"""Mapper: every word of the input, in lower case, with 1."""
import re
import sys

for line in sys.stdin.buffer:
    for word in re.findall(rb"[A-Za-z]+", line):
        sys.stdout.buffer.write(word.lower() + b"\t1\n")

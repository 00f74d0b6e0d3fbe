#!/usr/bin/env python3
"""Mapper: for each line "FIRST COUNT" so many rows of 100 bytes, from that number on.

A row is a key of 10 printable characters, TAB, its number and filling. Row n is
always the same, however the rows are dealt out.
"""
import sys

MASK = (1 << 64) - 1


def mixed(n):
    """The n-th number of splitmix64."""
    z = (n * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def row(n):
    x = mixed(2 * n) << 64 | mixed(2 * n + 1)
    key = bytearray()
    for _ in range(10):
        x, digit = divmod(x, 94)
        key.append(33 + digit)
    letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n % 26:n % 26 + 1]
    return b"%s\t%020d %s\n" % (key, n, letter * 67)


if __name__ == "__main__":
    out = sys.stdout.buffer
    for line in sys.stdin:
        # Of NLineInputFormat: the line's position, TAB, the line.
        first, count = map(int, line.split("\t")[-1].split())
        for n in range(first, first + count):
            out.write(row(n))

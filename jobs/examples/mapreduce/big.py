#!/usr/bin/env python3
"""Makes big inputs for the examples.

    python3 big.py text 1024 big/text     1024 MiB of text in 8 files, for word count, grep, index
    python3 big.py tera 1024 big/tera     1024 MiB of rows in 8 files, for terasort
    python3 big.py visits 256 big/visits  256 MiB of pages with counts, for top-N

Then for example

    zennet-job submit wordcount.yaml --set input=big/text --set output=big/counted --set mapreduce.reducers=4

With an HDFS: `hdfs dfs -put big/text /big/text`, and --set input=hdfs://namenode:8020/big/text.
"""
import itertools
import os
import random
import sys

from teragen import row

FILES = 8


def text(rng):
    """Lines of 12 words whose frequencies fall as those of a language do."""
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 10))) for _ in range(50_000)]
    summed = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(words))))
    while True:
        chosen = rng.choices(words, cum_weights=summed, k=12_000)
        yield "".join(" ".join(chosen[i:i + 12]) + "\n" for i in range(0, len(chosen), 12)).encode()


def tera(first):
    while True:
        yield b"".join(row(n) for n in range(first, first + 1000))
        first += 1000


def visits(rng):
    while True:
        yield "".join(f"/page/{rng.randrange(10**8):08d}\t{int(rng.paretovariate(1.1) * 10)}\n" for _ in range(1000)).encode()


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("text", "tera", "visits"):
        sys.exit(__doc__)
    kind, mib, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.makedirs(folder)
    size = (mib << 20) // FILES
    for i in range(FILES):
        rng = random.Random(i)
        blocks = {"text": lambda: text(rng), "tera": lambda: tera(i * 10**9), "visits": lambda: visits(rng)}[kind]()
        with open(f"{folder}/{i:02d}", "wb") as out:
            while out.tell() < size:
                out.write(next(blocks))
        print(f"{folder}/{i:02d}: {size >> 20} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()

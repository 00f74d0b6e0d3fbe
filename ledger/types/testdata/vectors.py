#!/usr/bin/env python3
"""Writes vectors.json: keys, addresses, hashes, encodings and signatures made
from the published rules alone (BIP-340, BIP-350, RFC 8949), sharing no code with
the Go packages that are tested against them. Run: python3 vectors.py > vectors.json
"""
import hashlib
import json

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and a[1] != b[1]:
        return None
    if a == b:
        m = 3 * a[0] * a[0] * pow(2 * a[1], P - 2, P) % P
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], P - 2, P) % P
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def mul(point, k):
    total = None
    while k:
        if k & 1:
            total = add(total, point)
        point = add(point, point)
        k >>= 1
    return total


def sha(data):
    return hashlib.sha256(data).digest()


def tagged(tag, data):
    return sha(sha(tag.encode()) * 2 + data)


def zennet(kind, data):
    return tagged("zennet/%s/1" % kind, data)


def even(secret):
    """BIP-340: the scalar whose point has even Y, and its x."""
    k = int.from_bytes(secret, "big")
    point = mul(G, k)
    if point[1] & 1:
        k = N - k
    return k, point[0].to_bytes(32, "big")


def sign(secret, message):
    k, x = even(secret)
    t = (k ^ int.from_bytes(tagged("BIP0340/aux", bytes(32)), "big")).to_bytes(32, "big")
    nonce = int.from_bytes(tagged("BIP0340/nonce", t + x + message), "big") % N
    r = mul(G, nonce)
    if r[1] & 1:
        nonce = N - nonce
    rx = r[0].to_bytes(32, "big")
    e = int.from_bytes(tagged("BIP0340/challenge", rx + x + message), "big") % N
    return rx + ((nonce + e * k) % N).to_bytes(32, "big")


CHARS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    chk = 1
    for v in values:
        top = chk >> 25
        chk = (chk & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            chk ^= g if top >> i & 1 else 0
    return chk


def bech32m(hrp, data, const=0x2BC830A3):
    bits = "".join("{:08b}".format(b) for b in data)
    bits += "0" * (-len(bits) % 5)
    words = [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    check = polymod(expanded + words + [0] * 6) ^ const
    words += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return hrp + "1" + "".join(CHARS[w] for w in words)


def head(major, n):
    for size, code in ((0, None), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size == 0 and n < 24:
            return bytes([major << 5 | n])
        if size and n < 1 << 8 * size:
            return bytes([major << 5 | code]) + n.to_bytes(size, "big")


def cbor(v):
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(cbor, v))
    pairs = sorted((cbor(k), cbor(x)) for k, x in v.items())
    return head(5, len(pairs)) + b"".join(k + x for k, x in pairs)


def secret(name):
    return sha(("zennet test key " + name).encode())


def address(name):
    return even(secret(name))[1]


LEDGER = sha(b"a ledger")
HASH = sha(b"a hash")
ALICE, BOB = address("alice"), address("bob")
CHANNEL = zennet("channel", LEDGER + ALICE + (7).to_bytes(8, "big"))


def voucher(sig=bytes(64)):
    return {1: CHANNEL, 2: 3, 3: 1_500_000_000, 4: HASH, 5: sig}


def bodies():
    v = voucher(sign(secret("alice"), zennet("voucher", LEDGER + cbor(voucher()))))
    big = 2**64 - 1
    yield "transfer", "alice", 0, 100_000, {10: {1: BOB, 2: big}}
    yield "open", "alice", 7, 1_000_000, {11: {1: BOB, 2: HASH, 3: 5_000_000_000, 4: 1_800_000_000}}
    yield "topup", "alice", 300, 24, {12: {1: CHANNEL, 2: 1, 3: 0}}
    yield "close", "bob", 0, 0, {13: {1: CHANNEL, 2: 1_500_000_000, 3: v}}
    yield "close without voucher", "bob", 0, 0, {13: {1: CHANNEL, 2: 0}}
    yield "refund", "alice", 0, 0, {14: {1: CHANNEL}}
    yield "announce", "alice", 8, 65536, {15: {1: b"wanted", 2: 3600}}
    yield "withdraw", "alice", 9, 5, {16: {1: HASH}}
    yield "receipt", "alice", 10, 5, {17: {1: CHANNEL, 2: HASH, 3: "ok", 4: 1_800_000_000}}
    yield "register", "bob", 1, 5, {18: {1: sha(b"consensus"), 2: bytes(range(64)), 3: "bob’s"}}
    yield "resign", "bob", 2, 5, {19: []}
    yield "unjail", "bob", 3, 5, {20: []}
    yield "vote", "alice", 11, 5, {21: {1: sorted([ALICE, BOB])}}
    yield "vote for none", "alice", 12, 5, {21: {1: []}}


def transactions():
    for name, who, nonce, fee, payload in bodies():
        body = cbor({1: address(who), 2: nonce, 3: fee, **payload})
        sig = sign(secret(who), zennet("tx", LEDGER + body))
        raw = b"\xa2\x01" + body + b"\x02" + cbor(sig)
        yield {"name": name, "id": zennet("tx-id", body).hex(), "tx": raw.hex()}


def main():
    keys = []
    for name in ("alice", "bob", "carol", "dave"):
        k, x = even(secret(name))
        keys.append({"name": name, "secret": secret(name).hex(), "even": k.to_bytes(32, "big").hex(),
                     "x": x.hex(), "address": bech32m("zen", x)})
    body = cbor(voucher())
    sig = sign(secret("alice"), zennet("voucher", LEDGER + body))
    print(json.dumps({
        "ledger": LEDGER.hex(),
        "keys": keys,
        "not_bech32m": bech32m("zen", ALICE, 1),
        "other_prefix": bech32m("bc", ALICE),
        "short": bech32m("zen", ALICE[:31]),
        "no_point": bech32m("zen", (P - 1).to_bytes(32, "big")),
        "channel": {"payer": "alice", "nonce": 7, "id": CHANNEL.hex()},
        "voucher": {"seq": 3, "amount": 1_500_000_000, "usage": HASH.hex(), "signed": body.hex(),
                    "signature": sig.hex(), "encoding": cbor(voucher(sig)).hex()},
        "transactions": list(transactions()),
    }, indent=1))


main()

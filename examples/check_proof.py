"""Check proofs of trades, as `sunshare verify RUN --household ID --proof FILE` writes them, with SHA-256 alone."""

# ruff: noqa: INP001, PTH123, SIM115, T201

import json
import sys
from hashlib import sha256

for number, proof in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))):
    raw, header = bytes.fromhex(proof["receipt_bytes"]), bytes.fromhex(proof["header"])
    receipt = [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, 64, 8)]
    found = sha256(b"\0" + raw).digest()  # a leaf
    for side, sibling in proof["path"]:
        pair = (bytes.fromhex(sibling), found) if side == "left" else (found, bytes.fromhex(sibling))
        found = sha256(b"\1" + b"".join(pair)).digest()  # a node
    whole = found == header[64:96] and sha256(header).hexdigest() == proof["header_hash"]
    if not whole or len(raw) != 64 or receipt != list(proof["receipt"].values()):
        sys.exit(f"proof {number} does NOT hold")
    print(f"proof {number} holds: block {int.from_bytes(header[:8], 'little')}, {proof['receipt']}")

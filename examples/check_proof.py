"""Check proofs of trades, as `sunshare verify RUN --household ID --proof FILE` writes them, with SHA-256 alone."""

# ruff: noqa: INP001, PTH123, SIM115, T201

import json
import sys
from hashlib import sha256

for number, proof in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))):
    found = sha256(b"\0" + bytes.fromhex(proof["receipt_bytes"])).digest()  # a leaf
    for side, sibling in proof["path"]:
        pair = (bytes.fromhex(sibling), found) if side == "left" else (found, bytes.fromhex(sibling))
        found = sha256(b"\1" + b"".join(pair)).digest()  # a node
    header = bytes.fromhex(proof["header"])
    if found != header[64:96] or sha256(header).hexdigest() != proof["header_hash"]:
        sys.exit(f"proof {number} does NOT hold")
    print(f"proof {number} holds: block {int.from_bytes(header[:8], 'little')}, {proof['receipt']}")

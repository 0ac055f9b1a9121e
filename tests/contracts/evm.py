"""The compiled contracts in a real EVM (pyrevm), and the encoding of calls, events, errors and storage positions."""

import json
import re
from functools import cache
from pathlib import Path

import pyrevm
from Crypto.Hash import keccak

from sunshare_sim.ledger.words import Event, Reverted

ARTIFACTS = Path(__file__).parents[2] / "contracts" / "artifacts"


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


def word(value):
    return int(value).to_bytes(32, "big")


def address(account):
    return f"0x{account:040x}"


@cache
def artifact(name):
    return json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))


def signature(entry):
    """Return name(type,...) of an entry of an ABI; a struct is a tuple of its parts."""

    def kind(part):
        if part["type"].startswith("tuple"):
            inner = ",".join(kind(each) for each in part["components"])
            return f"({inner}){part['type'].removeprefix('tuple')}"
        return part["type"]

    return f"{entry['name']}({','.join(kind(part) for part in entry['inputs'])})"


@cache
def entries(kind):
    """Return all functions, events or errors by contract and name."""
    names = ("SunShareSettlement", "EnergyToken", "TestCoin", "ReentrantCoin")
    return {(n, e["name"]): e for n in names for e in artifact(n)["abi"] if e["type"] == kind}


@cache
def selector(contract, function):
    return keccak256(signature(entries("function")[contract, function]).encode())[:4]


@cache
def error_entry(name):
    found = [e for (_, each), e in entries("error").items() if each == name]
    return (keccak256(signature(found[0]).encode())[:4], found[0]) if found else None


@cache
def topic(contract, event):
    entry = entries("event")[contract, event]
    return keccak256(signature(entry).encode()), tuple(part["indexed"] for part in entry["inputs"])


def text(value):
    data = value.encode()
    return word(len(data)) + data.ljust(-(-len(data) // 32) * 32, b"\0")


def encode(values):
    """Encode words, texts, a list of uint8, or a tuple of structs of words, by the contract ABI."""
    head, tail = [], b""
    for value in values:
        if isinstance(value, str):
            part = text(value)
        elif isinstance(value, (tuple, list)):
            flat = (w for each in value for w in (each if isinstance(each, tuple) else (each,)))
            part = word(len(value)) + b"".join(map(word, flat))
        else:
            head.append(word(value))
            continue
        head.append(word(32 * len(values) + len(tail)))
        tail += part
    return b"".join(head) + tail


def call_data(contract, function, arguments):
    return selector(contract, function) + encode(arguments)


def revert_data(failure: Reverted):
    """Return what the contract answers when it fails so."""
    if failure.reason == "Panic":
        return bytes.fromhex("4e487b71") + encode(failure.arguments)
    found = error_entry(failure.reason)
    if found is None:
        return bytes.fromhex("08c379a0") + encode([failure.reason])
    return found[0] + encode(failure.arguments)


def event_log(event: Event):
    """Return topics and data of an event."""
    first, indexed = topic(event.contract, event.name)
    pairs = list(zip(event.arguments, indexed, strict=True))
    return [first, *(word(v) for v, i in pairs if i)], b"".join(word(v) for v, i in pairs if not i)


class Chain:
    """An EVM with the three contracts, as `deploy` leaves them."""

    def __init__(self, admin, oracle, operator, *, coin="TestCoin"):
        self.evm = pyrevm.EVM(spec_id="CANCUN")
        self.addresses = {coin: self.deploy(admin, coin, ())}
        made = self.deploy(admin, "SunShareSettlement", (int(self.addresses[coin], 16), oracle, operator))
        self.addresses["SunShareSettlement"] = made
        token = self.evm.message_call(address(admin), made, selector("SunShareSettlement", "energyToken"))
        self.addresses["EnergyToken"] = address(int.from_bytes(token, "big"))

    def deploy(self, admin, name, arguments):
        code = bytes.fromhex(artifact(name)["bytecode"][2:]) + encode(arguments)
        return self.evm.deploy(address(admin), code).lower()

    def account(self, contract):
        return int(self.addresses[contract], 16)

    def at(self, now):
        self.evm.set_block_env(pyrevm.BlockEnv(timestamp=now))

    def call(self, sender, contract, function, arguments):
        """Return (True, answer, logs) or (False, revert data, [])."""
        data = call_data(contract, function, arguments)
        try:
            answer = self.evm.message_call(address(sender), self.addresses[contract], data)
        except RuntimeError as failure:
            found = re.match(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}", str(failure))
            if not found:
                raise
            return False, bytes.fromhex(found[1]), []
        logs = [(log.address.lower(), *log.data) for log in self.evm.result.logs]
        return True, bytes(answer), logs

    def stored(self, key):
        """Return the word the twin keeps under `key`."""
        contract, slot, shift, bits = position(key)
        return (self.evm.storage(self.addresses[contract], slot) >> shift) & ((1 << bits) - 1)


ORDER_FIELDS = {"owner": (0, 0, 160), "side": (0, 160, 8), "status": (0, 168, 8), "price": (1, 0, 256),
                "remaining": (2, 0, 256), "money": (3, 0, 256), "expiry": (4, 0, 256)}  # fmt: skip


@cache
def layout(contract):
    return {each["label"]: (each["slot"], each["offset"]) for each in artifact(contract)["storage"]}


def mapped(slot, *keys):
    """Return the slot of a mapping's entry."""
    for key in keys:
        slot = int.from_bytes(keccak256(word(key) + word(slot)), "big")
    return slot


@cache
def position(key):
    """Return contract, slot, shift and bits of one of the twin's keys."""
    if isinstance(key, str):
        slot, offset = layout("SunShareSettlement")[key]
        return "SunShareSettlement", slot, 8 * offset, {"platformOracle": 160, "_paused": 8}.get(key, 256)
    if key[0] in ("EnergyToken", "TestCoin"):
        return key[0], mapped(layout(key[0])[key[1]][0], *key[2:]), 0, 256
    slot = layout("SunShareSettlement")[key[0]][0]
    if key[0] == "orders":
        offset, shift, bits = ORDER_FIELDS[key[2]]
        return "SunShareSettlement", mapped(slot, key[1]) + offset, shift, bits
    return "SunShareSettlement", mapped(slot, *key[1:]), 0, 256

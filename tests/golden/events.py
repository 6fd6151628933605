"""Prints the golden bytes of tests/unit/io/event_file_test.cpp: records and events as others write them.

    python tests/golden/events.py   # needs google-crc32c and tensorboard
"""
import struct

import google_crc32c
from tensorboard.compat.proto.event_pb2 import Event


def masked(data):
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(payload):
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def event(seconds, step, **values):
    message = Event(wall_time=seconds, step=step)
    for tag, value in values.items():
        message.summary.value.add(tag=tag, simple_value=value)
    return message.SerializeToString(deterministic=True)


print("EMPTY", record(b"").hex())
print("MASKSC", record(b"masksc").hex())
print("EVENT", event(1.5e9, 300, **{"train/loss": 0.25, "x": float("-inf")}).hex())
print("FIRST", event(0.5, 0, a=1e-3).hex())

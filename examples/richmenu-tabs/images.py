#!/usr/bin/env python3
"""Draws order.png and help.png beside this file, 1200x810, with nothing but Python's standard library. Replace them by
your designer's; only the size must stay, or change the rows of bot.lua with it."""

import os
import struct
import zlib

WIDTH, HEIGHT, BAR = 1200, 810, 135
PALETTE = [(255, 255, 255), (6, 120, 87), (222, 240, 233), (40, 48, 46), (244, 248, 246)]
WHITE, GREEN, PALE, DARK, PAPER = range(5)

# Capitals of 5x7 points, a row a number, the leftmost point its highest bit.
FONT = {
    "A": (14, 17, 17, 31, 17, 17, 17), "C": (14, 17, 16, 16, 16, 17, 14), "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16), "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14), "J": (7, 2, 2, 2, 2, 18, 12), "L": (16, 16, 16, 16, 16, 16, 31),
    "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16), "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30), "T": (31, 4, 4, 4, 4, 4, 4), "U": (17, 17, 17, 17, 17, 17, 14),
}


def box(rows, x, y, width, height, colour):
    for row in rows[y:y + height]:
        row[x:x + width] = bytes([colour]) * width


def label(rows, x, y, width, height, text, colour, point):
    """Text in the middle of a rectangle; point: pixels a point of the font is wide and high."""
    left, top = x + (width - (6 * len(text) - 1) * point) // 2, y + (height - 7 * point) // 2
    for n, letter in enumerate(text):
        for r, bits in enumerate(FONT[letter]):
            for c in range(5):
                if bits >> (4 - c) & 1:
                    box(rows, left + (6 * n + c) * point, top + r * point, point, point, colour)


def menu(tab, cells):
    """cells: (text, share of the width) each."""
    rows = [bytearray([PAPER]) * WIDTH for _ in range(HEIGHT)]
    for n, name in enumerate(("ORDER", "HELP")):
        chosen = name == tab
        box(rows, n * WIDTH // 2, 0, WIDTH // 2, BAR, GREEN if chosen else PALE)
        label(rows, n * WIDTH // 2, 0, WIDTH // 2, BAR, name, WHITE if chosen else DARK, 8)
    x, shares = 0, sum(share for _, share in cells)
    for text, share in cells:
        width = WIDTH * share // shares
        box(rows, x + 20, BAR + 20, width - 40, HEIGHT - BAR - 40, WHITE)
        label(rows, x, BAR, width, HEIGHT - BAR, text, DARK, 9)
        x += width
    return rows


def png(path, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0))
                   + chunk(b"PLTE", b"".join(bytes(colour) for colour in PALETTE))
                   + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)) + chunk(b"IEND", b""))


if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    png(os.path.join(HERE, "order.png"), menu("ORDER", [("TEA", 1), ("COFFEE", 1), ("JUICE", 1)]))
    png(os.path.join(HERE, "help.png"), menu("HELP", [("HOURS", 2), ("CALL", 1)]))

"""Files as an installed R package has them, small: what `serialize` writes of vectors, factors and frames."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from harness.workloads.r_data import INDEX_FILE, OBJECTS_FILE

ATTRIBUTES, TAG, SYMBOL, PAIRS, END, REFERENCE = 0x200, 0x400, 1, 2, 254, 255


def _integer(value: int) -> bytes:
    return struct.pack(">i", value)


def _word(word: str) -> bytes:
    return _integer(9 | 0x40000) + _integer(len(word)) + word.encode()


def vector(kind: int, length: int, content: bytes, attributes: dict[str, bytes] | None = None) -> bytes:
    """Of this of R's types. Each attribute's name is a symbol, written out."""
    flags = kind | (ATTRIBUTES if attributes else 0)
    pairs = [_integer(PAIRS | TAG) + _integer(SYMBOL) + _word(name) + of for name, of in (attributes or {}).items()]
    behind = b"".join(pairs) + _integer(END) if attributes else b""
    return _integer(flags) + _integer(length) + content + behind


def integers(values: Sequence[int]) -> bytes:
    return vector(13, len(values), struct.pack(f">{len(values)}i", *values))


def numbers(values: Sequence[float]) -> bytes:
    return vector(14, len(values), struct.pack(f">{len(values)}d", *values))


def strings(words: Sequence[str]) -> bytes:
    return vector(16, len(words), b"".join(map(_word, words)))


def factor(codes: Sequence[int], levels: Sequence[str]) -> bytes:
    """codes: from 1 on."""
    content = struct.pack(f">{len(codes)}i", *codes)
    return vector(13, len(codes), content, {"levels": strings(levels), "class": strings(["factor"])})


def named(values: dict[str, bytes], **more: bytes) -> bytes:
    return vector(19, len(values), b"".join(values.values()), {"names": strings(list(values)), **more})


def frame(columns: dict[str, bytes]) -> bytes:
    return named(columns, **{"class": strings(["data.frame"])})


def referring(made: bytes, symbol: str) -> bytes:
    """All but the first of these symbols, which has to be the first of all, as references to it."""
    written = _integer(SYMBOL) + _word(symbol)
    before, behind = made.split(written, 1)
    return before + written + behind.replace(written, _integer(1 << 8 | REFERENCE))


def header(version: int) -> bytes:
    encoding = _integer(5) + b"UTF-8" if version >= 3 else b""
    return b"X\n" + _integer(version) + _integer(0x040202) + _integer(0x030500) + encoding


def write_database(folder: Path, objects: dict[str, bytes], *, version: int = 3) -> None:
    """objects: by name, as the functions above make them."""
    places, content = {}, b""
    for name, made in objects.items():
        serialized = header(version) + made
        stored = _integer(len(serialized)) + zlib.compress(serialized)
        places[name] = integers([len(content), len(stored)])
        content += stored
    index = named({"variables": named(places), "references": named({}), "compressed": integers([1])})
    (folder / INDEX_FILE).write_bytes(gzip.compress(header(version) + index))
    (folder / OBJECTS_FILE).write_bytes(content)

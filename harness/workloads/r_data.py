"""Data frames of R packages, read without R from the two files in which an installed package keeps them.

`Rdata.rdx` says where in `Rdata.rdb` each object lies: four bytes of length, then what R's `serialize` made, in zlib's
format. Of R's types those are read of which frames are made, vectors and their attributes; nothing is executed.

Source: "R Internals", section 1.8 (serialization formats), versions 2 and 3 in XDR; R's tools:::makeLazyLoadDB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.data import DatasetError

INDEX_FILE, OBJECTS_FILE = "Rdata.rdx", "Rdata.rdb"
MAX_BYTES = 1 << 26  # of one object once it is inflated: that of InstEval has 2 MB
_GZIP, _ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS

# Types, as the low byte of an item's flags has them.
SYMBOL, PAIRS, CHARACTERS, LOGICALS, INTEGERS, NUMBERS, STRINGS, LIST = 1, 2, 9, 10, 13, 14, 16, 19
NULL, REFERENCE = 254, 255
HAS_ATTRIBUTES, HAS_TAG = 0x200, 0x400

_OF_NUMBERS = {LOGICALS: ">i4", INTEGERS: ">i4", NUMBERS: ">f8"}
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)


def read_frame(folder: Path, name: str, how_to_get: str) -> dict[str, NDArray[Any]]:
    """A frame's columns of numbers; of a factor its levels', from 1 on. Raises DatasetError, ending in how_to_get."""
    try:
        places = _read(_inflated((folder / INDEX_FILE).read_bytes(), _GZIP)).named()["variables"].named()
        if name in places:
            start, length = map(int, places[name].values)
            content = (folder / OBJECTS_FILE).read_bytes()[start : start + length]
            columns = _read(_inflated(content[4:], _ZLIB)).named()
            return {column: of.values for column, of in columns.items() if isinstance(of.values, np.ndarray)}
    except _DAMAGE as error:
        raise DatasetError(
            f"{folder}: {INDEX_FILE} and {OBJECTS_FILE} are unreadable ({error}). {how_to_get}"
        ) from None
    listed = ", ".join(sorted(map(str, places)))
    raise DatasetError(f"{folder / INDEX_FILE}: lists no {name}, but {listed}. {how_to_get}")


def _inflated(content: bytes, window_bits: int) -> bytes:
    """Raises zlib.error where it is another format, ValueError where it is cut off or too large."""
    stream = zlib.decompressobj(window_bits)
    inflated = stream.decompress(content, MAX_BYTES)
    if not stream.eof:
        raise ValueError(f"is cut off, or has more than {MAX_BYTES} bytes")
    return inflated


@dataclass(frozen=True)
class _Object:
    values: Any  # (N,) numbers; or a list
    attributes: Mapping[str, _Object]

    def named(self) -> dict[str, _Object]:
        return dict(zip(self.attributes["names"].values, self.values, strict=True))


def _read(content: bytes) -> _Object:
    reader = _Reader(content)
    reader.skip_header()
    read = reader.item()
    if not isinstance(read, _Object):
        raise ValueError("holds no vector")
    return read


class _Reader:
    """One item after another; what was met of symbols is referred to by its number."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0
        self._symbols: list[str] = []

    def skip_header(self) -> None:
        """Format, version, R's own two; from version 3 on the encoding."""
        if self._bytes(2) != b"X\n":
            raise ValueError("is not in R's binary format XDR")
        version, _, _ = (self._integer() for _ in range(3))
        if version >= 3:
            self._bytes(self._integer())

    def item(self) -> Any:
        """Text, the pairs of a pairlist, an _Object, or None."""
        flags = self._integer()
        kind = flags & 0xFF
        if kind == NULL:
            return None
        if kind == REFERENCE:
            return self._symbols[(flags >> 8) - 1]
        if kind == SYMBOL:
            self._symbols.append(self.item())
            return self._symbols[-1]
        if kind == PAIRS:
            return self._pairs(flags)
        if kind == CHARACTERS:
            return self._bytes(self._integer()).decode()
        values = self._vector(kind)
        return _Object(values, self.item() if flags & HAS_ATTRIBUTES else {})

    def _pairs(self, flags: int) -> dict[str, Any]:
        """A tag and its value, until there is no more."""
        found = {}
        while flags & 0xFF == PAIRS:
            if flags & HAS_ATTRIBUTES or not flags & HAS_TAG:
                raise ValueError("has pairs without a name, or with attributes")
            name = self.item()
            found[name] = self.item()
            flags = self._integer()
        return found

    def _vector(self, kind: int) -> Any:
        length = self._integer() if kind in (*_OF_NUMBERS, STRINGS, LIST) else -1
        if length < 0:
            raise ValueError(f"has an object of R's type {kind} and length {length}, which is not read here")
        if kind in _OF_NUMBERS:
            values = np.frombuffer(self._content, _OF_NUMBERS[kind], length, self._at)
            self._at += values.nbytes
            return values
        return [self.item() for _ in range(length)]

    def _integer(self) -> int:
        (value,) = struct.unpack(">i", self._bytes(4))
        return int(value)

    def _bytes(self, count: int) -> bytes:
        """Of a string that is not available, whose length is -1, none."""
        taken = self._content[self._at : self._at + max(count, 0)]
        self._at += len(taken)
        return taken

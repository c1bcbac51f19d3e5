"""What the 64 bits of a watermark say: which format, what the picture looked like, which picture it is.

    1 bit    version of this format
    3 bits   shape: the ratio of the sides when it was marked, in classes that repeat
    20 bits  content tag (`guardrail.marks.tag`): tells a mark from its copy on another picture
    40 bits  mark id: leads to the decision, and to the registry

The key that reads a payload says who issued it: a layout is keyed, so no bits are spent on that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from guardrail.marks.tag import TAG_BITS

__all__ = ["ID_BITS", "ID_DIGITS", "PAYLOAD_VERSION", "Payload", "shape_of"]

PAYLOAD_VERSION = 1
"""0 is free. A format that lays the lines out anew has another name under which keys are derived, and needs no bit."""
_SHAPES = 8
# Natural logarithm of the ratio between neighbouring classes, 1.2: the shapes that pictures are cut to differ mostly
# (square, 5:4, 4:3, 16:9, 2:1, 21:9, and the halves of each). A class comes again at 4.3 times the ratio.
_SHAPE_STEP = 0.182
ID_BITS = 40
ID_DIGITS = ID_BITS // 4


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload.

    Args:
        mark_id: 10 hexadecimal digits.
        tag: 0 <= tag < 2 ** 20.
        shape: 0..7, see `shape_of`.
        version: 0 or 1.

    Raises:
        ValueError: a part has too many bits.
    """

    mark_id: str
    tag: int
    shape: int
    version: int = PAYLOAD_VERSION

    def __post_init__(self) -> None:
        if len(self.mark_id) != ID_DIGITS or self.mark_id != f"{int(self.mark_id, 16):0{ID_DIGITS}x}":
            raise ValueError(f"a mark id is {ID_DIGITS} hexadecimal digits in lower case")
        if not 0 <= self.tag < 1 << TAG_BITS or not 0 <= self.shape < _SHAPES or self.version not in (0, 1):
            raise ValueError(f"a tag has {TAG_BITS} bits, a shape 3 and a version 1")

    def to_int(self) -> int:
        """The 64 bits, version first."""
        return self.version << 63 | self.shape << 60 | self.tag << ID_BITS | int(self.mark_id, 16)

    @classmethod
    def from_int(cls, bits: int) -> Payload:
        """The parts of 64 bits."""
        number = bits & (1 << ID_BITS) - 1
        return cls(f"{number:0{ID_DIGITS}x}", bits >> ID_BITS & (1 << TAG_BITS) - 1, bits >> 60 & 7, bits >> 63)


def shape_of(height: int, width: int, *, transparent: bool = False) -> int:
    """The class of a picture's shape. Of another class than when it was marked, it was cut, or put on a canvas.

    Args:
        transparent: when it was marked: then it is of the class farthest away, and no picture of its shape is taken for
            the whole of it. Over another backdrop it shows something else, and its mark was not copied there.
    """
    return (round(math.log(width / height) / _SHAPE_STEP) + (_SHAPES // 2 if transparent else 0)) % _SHAPES

"""What the 64 bits of a watermark say: which format, what the picture looked like, which picture it is.

    4 bits   version of this format
    20 bits  content tag (`guardrail.marks.tag`): tells a mark from its copy on another picture
    40 bits  mark id: leads to the decision, and to the registry

The key that reads a payload says who issued it: a layout is keyed, so no bits are spent on that.
"""

from __future__ import annotations

from dataclasses import dataclass

from guardrail.marks.tag import TAG_BITS

__all__ = ["ID_BITS", "ID_DIGITS", "PAYLOAD_VERSION", "Payload"]

PAYLOAD_VERSION = 2
"""1 was 60 bits of id and no tag; no release wrote it."""
ID_BITS = 40
ID_DIGITS = ID_BITS // 4


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload.

    Args:
        mark_id: 10 hexadecimal digits.
        tag: 0 <= tag < 2 ** 20.
        version: 0..15.

    Raises:
        ValueError: a part has too many bits.
    """

    mark_id: str
    tag: int
    version: int = PAYLOAD_VERSION

    def __post_init__(self) -> None:
        if len(self.mark_id) != ID_DIGITS or self.mark_id != f"{int(self.mark_id, 16):0{ID_DIGITS}x}":
            raise ValueError(f"a mark id is {ID_DIGITS} hexadecimal digits in lower case")
        if not 0 <= self.tag < 1 << TAG_BITS or not 0 <= self.version < 16:
            raise ValueError(f"a tag has {TAG_BITS} bits and a version 4")

    def to_int(self) -> int:
        """The 64 bits, version first."""
        return self.version << 60 | self.tag << ID_BITS | int(self.mark_id, 16)

    @classmethod
    def from_int(cls, bits: int) -> Payload:
        """The parts of 64 bits."""
        number = bits & (1 << ID_BITS) - 1
        return cls(f"{number:0{ID_DIGITS}x}", bits >> ID_BITS & (1 << TAG_BITS) - 1, bits >> 60)

"""Binary BCH codes in systematic form, shortened to the data at hand: encode, and correct up to t flipped bits.

Bose and Ray-Chaudhuri 1960; decoding by Berlekamp and Massey (binary form) and Chien's search. Words are integers, the
first bit sent is the highest: data first, then parity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BCH"]


@dataclass(frozen=True)
class BCH:
    """A code over GF(2^m).

    Args:
        m: words have at most 2^m - 1 bits.
        t: how many flips are corrected.
        primitive: primitive polynomial of degree m, as an integer: 137 is x⁷ + x³ + 1.
    """

    m: int
    t: int
    primitive: int
    _powers: tuple[int, ...] = field(init=False, repr=False)
    _logs: dict[int, int] = field(init=False, repr=False)
    _generator: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        powers = [1]
        while len(powers) < self.longest:
            following = powers[-1] << 1
            powers.append(following ^ self.primitive if following >> self.m else following)
        object.__setattr__(self, "_powers", tuple(powers))
        object.__setattr__(self, "_logs", {v: i for i, v in enumerate(powers)})
        object.__setattr__(self, "_generator", self._product())

    @property
    def longest(self) -> int:
        """Bits of an unshortened word."""
        return (1 << self.m) - 1

    @property
    def parity_bits(self) -> int:
        return self._generator.bit_length() - 1

    def encode(self, data: int) -> int:
        """The parity of some data; the word is ``data << parity_bits | parity``."""
        rest = data << self.parity_bits
        while (excess := rest.bit_length() - self._generator.bit_length()) >= 0:
            rest ^= self._generator << excess
        return rest

    def decode(self, word: int, length: int) -> tuple[int, int] | None:
        """The nearest word within t flips of a word of `length` bits, and how many flips; ``None`` if there is none."""
        syndromes = [self._at(word, j) for j in range(1, 2 * self.t + 1)]
        if not any(syndromes):
            return word, 0
        locator = self._berlekamp_massey(syndromes)
        flips = [i for i in range(length) if self._evaluate(locator, -i) == 0]
        if len(locator) - 1 > self.t or len(flips) != len(locator) - 1:
            return None
        for i in flips:
            word ^= 1 << i
        return word, len(flips)

    def _multiply(self, a: int, b: int) -> int:
        return self._powers[(self._logs[a] + self._logs[b]) % self.longest] if a and b else 0

    def _at(self, word: int, power: int) -> int:
        """The word as a polynomial at α^power."""
        value = 0
        while word:
            lowest = word & -word
            value ^= self._powers[(lowest.bit_length() - 1) * power % self.longest]
            word ^= lowest
        return value

    def _evaluate(self, polynomial: list[int], power: int) -> int:
        value = 0
        for degree, coefficient in enumerate(polynomial):
            if coefficient:
                value ^= self._powers[(self._logs[coefficient] + degree * power) % self.longest]
        return value

    def _berlekamp_massey(self, syndromes: list[int]) -> list[int]:
        """The error locator, lowest coefficient first."""
        current, before = [1], [1]
        errors, gap, scale = 0, 1, 1
        for n, syndrome in enumerate(syndromes):
            discrepancy = syndrome
            for i in range(1, min(errors, len(current) - 1) + 1):
                discrepancy ^= self._multiply(current[i], syndromes[n - i])
            if discrepancy == 0:
                gap += 1
                continue
            factor = self._multiply(discrepancy, self._powers[-self._logs[scale] % self.longest])
            shifted = [0] * gap + [self._multiply(factor, c) for c in before]
            width = max(len(current), len(shifted))
            following = [
                (current[i] if i < len(current) else 0) ^ (shifted[i] if i < len(shifted) else 0) for i in range(width)
            ]
            if 2 * errors <= n:
                errors, before, scale, gap = n + 1 - errors, current, discrepancy, 1
            else:
                gap += 1
            current = following
        while len(current) > 1 and current[-1] == 0:
            current.pop()
        return current

    def _product(self) -> int:
        """The generator: the product of the minimal polynomials of α, α³, … α^(2t-1)."""
        roots: set[int] = set()
        for odd in range(1, 2 * self.t, 2):
            power = odd
            while power not in roots:
                roots.add(power)
                power = 2 * power % self.longest
        product = [1]
        for power in sorted(roots):
            shifted, scaled = [0, *product], [self._multiply(c, self._powers[power]) for c in product]
            product = [a ^ (scaled[i] if i < len(scaled) else 0) for i, a in enumerate(shifted)]
        # All coefficients are 0 or 1: the roots come in whole conjugacy classes.
        return sum(bit << degree for degree, bit in enumerate(product))

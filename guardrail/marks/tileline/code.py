"""Error-correcting code: 64 payload bits + CRC-16 under a tail-biting convolutional code of rate 1/19.

Tail-biting (the encoder starts in the state in which it ends) spends no energy on tail bits; at 80 information bits
the tail of a K = 11 code would cost 0.5 dB. The first 15 generators feed the luma band from its lowest ring of lines to
its highest, the last 4 feed chroma: whatever prefix of the luma rings an attack leaves alive is itself a good code, and
so is chroma alone. Simulated in white Gaussian noise, one word in a hundred fails at Eb/N0 = 0.5 dB (4,000 words); a
K = 7, rate 1/4 code with a tail around the same 80 bits needs 2.9 dB.

Decoding: circular Viterbi (Cox and Sundberg, "An efficient adaptive circular Viterbi algorithm", 1994) over the
trellis cut open with `_WRAP` extra steps at both ends, then the single deviations from the best path in order of what
they cost, each of which the caller holds against the CRC (list Viterbi, Seshadri and Sundberg, 1994).
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALTERNATIVES", "CRC_BITS", "OUTPUTS", "PAYLOAD_BITS", "STEPS", "crc16", "decode", "encode", "split"]

PAYLOAD_BITS = 64
CRC_BITS = 16
STEPS = PAYLOAD_BITS + CRC_BITS

# Generators, octal. Found greedily (120 random candidates for each one, the largest free distance kept, then the fewest
# paths of that weight), starting from a known rate-1/4 code. Free distance of the luma prefixes of 5..15 generators:
# 36 44 52 59 66 74 81 88 96 104 111; of the four chroma generators: 28.
_LUMA = (
    *(0o2327, 0o2353, 0o2671, 0o3175, 0o3625, 0o3663, 0o2765, 0o3271),
    *(0o3745, 0o3331, 0o2751, 0o2647, 0o3537, 0o2467, 0o3135),
)
_CHROMA = (0o2577, 0o2615, 0o3261, 0o3671)
_GENERATORS = _LUMA + _CHROMA
OUTPUTS = len(_GENERATORS)

_K = 11  # constraint length
_STATES = 1 << (_K - 1)
# Steps repeated before and after the circle. At 0.5 dB 1.0 % of the words are lost; with 30 steps 1.5 %, with 80 1.0 %.
_WRAP = 60
# Deviations offered after the best path. Without them 3.9 % of the words are lost at 0.5 dB; 100 do no better than 10.
ALTERNATIVES = 10


def crc16(payload: int) -> int:
    """CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF) of the payload as eight bytes, highest first."""
    return binascii.crc_hqx(payload.to_bytes(PAYLOAD_BITS // 8, "big"), 0xFFFF)


def _word(payload: int) -> int:
    return payload << CRC_BITS | crc16(payload)


def split(word: int) -> tuple[int, bool]:
    """Payload of an 80-bit word, and whether its CRC holds."""
    payload = word >> CRC_BITS
    return payload, crc16(payload) == word & ((1 << CRC_BITS) - 1)


@lru_cache(maxsize=1)
def _outputs() -> NDArray[np.float32]:
    """±1 outputs of every register content, (2 ** K, OUTPUTS); the newest bit is the highest."""
    register = np.arange(1 << _K)[:, None] & np.array(_GENERATORS)
    for shift in (8, 4, 2, 1):
        register ^= register >> shift
    table: NDArray[np.float32] = np.subtract(1.0, 2.0 * (register & 1), dtype=np.float32)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def _branches() -> NDArray[np.float32]:
    """The same as (OUTPUTS, new bit × state/2 × dropped bit): column order in which the trellis step adds them up."""
    new, half, old = np.meshgrid(np.arange(2), np.arange(_STATES // 2), np.arange(2), indexing="ij")
    register = (new << (_K - 1) | half << 1 | old).ravel()
    table = np.ascontiguousarray(_outputs()[register].T)
    table.setflags(write=False)
    return table


def _encode_word(word: int) -> NDArray[np.float32]:
    # Step t's register holds bits t, t-1, ... t-10 of the circular word, bit t highest.
    bits = np.array([word >> (STEPS - 1 - t) & 1 for t in range(STEPS)])
    register = np.zeros(STEPS, np.int64)
    for back in range(_K):
        register |= np.roll(bits, back) << (_K - 1 - back)
    out: NDArray[np.float32] = _outputs()[register]
    return out


def encode(payload: int) -> NDArray[np.float32]:
    """Coded ±1 values, (STEPS, OUTPUTS), of a payload of 64 bits."""
    return _encode_word(_word(payload))


def decode(llr: NDArray[np.float32]) -> Iterator[tuple[int, float]]:
    """Candidate words for soft values (STEPS, OUTPUTS), most likely first.

    Yields:
        (80-bit word, its correlation with `llr`): the best path, then up to ALTERNATIVES single deviations from it. The
        correlation never rises from one to the next but for paths that only the cut trellis allows.
    """
    order = np.arange(-_WRAP, STEPS + _WRAP) % STEPS
    branch = (llr @ _branches()).reshape(STEPS, 2, _STATES // 2, 2)
    metric = np.zeros(_STATES, np.float32)
    gain = np.empty((len(order), _STATES), np.float32)  # how much better the upper predecessor (dropped bit 1) is
    for i, t in enumerate(order):
        both = metric.reshape(1, _STATES // 2, 2) + branch[t]
        np.subtract(both[..., 1], both[..., 0], out=gain[i].reshape(2, -1))
        metric = np.maximum(both[..., 0], both[..., 1]).ravel()
    upper = gain > 0
    last = len(order) - 1
    path = _trace(upper, int(metric.argmax()), last)
    best = _bits_of(path, {})
    yield best, float((_encode_word(best) * llr).sum())

    regret = np.abs(gain[np.arange(last + 1), path[1:]])[_WRAP : _WRAP + STEPS]
    for i in np.argsort(regret, kind="stable")[:ALTERNATIVES] + _WRAP:
        state = path[i + 1]
        state = ((state << 1) & (_STATES - 1)) | (1 - int(upper[i, state]))
        changed: dict[int, int] = {}
        step = int(i) - 1
        while step >= 0 and state != path[step + 1]:
            changed[step] = state >> (_K - 2)
            state = ((state << 1) & (_STATES - 1)) | int(upper[step, state])
            step -= 1
        word = _bits_of(path, changed)
        yield word, float((_encode_word(word) * llr).sum())


def _trace(upper: NDArray[np.bool_], state: int, last: int) -> list[int]:
    """States along the survivor that ends in `state`: entry i is the state before step i."""
    states = [state]
    for i in range(last, -1, -1):
        state = ((state << 1) & (_STATES - 1)) | int(upper[i, state])
        states.append(state)
    return states[::-1]


def _bits_of(path: list[int], changed: dict[int, int]) -> int:
    """The word read off the middle of the cut trellis; `changed` overrides the bit that enters at a step."""
    bits = [state >> (_K - 2) for state in path[1 + _WRAP : 1 + _WRAP + STEPS]]
    for step, bit in changed.items():
        bits[(step - _WRAP) % STEPS] = bit
    word = 0
    for bit in bits:
        word = word << 1 | bit
    return word

"""Giving an ONNX graph of fixed size free sizes, without the onnx package.

CenterFace was published with an input of 10×3×32×32 and with every initializer listed as a graph input. The runtime
refuses other sizes, and does not fold what could change: measured on one core at 640×480, 85 ms as published, 44 ms
with the initializers taken out of the inputs. The file on disk stays as published (and pinned); this is done in memory.

Wire format: Protocol Buffers encoding; field numbers: onnx.proto3 (ModelProto.graph 7; GraphProto.initializer 5, input
11, output 12, value_info 13; ValueInfoProto.name 1, type 2; TypeProto.tensor_type 1; Tensor.elem_type 1, shape 2;
TensorShapeProto.dim 1; Dimension.dim_value 1, dim_param 2; TensorProto.name 8).
"""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.errors import WeightsError

__all__ = ["free_sizes"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def free_sizes(model: bytes) -> bytes:
    """`model` with batch, height and width of all inputs and outputs free, and initializers no inputs any more.

    Raises:
        WeightsError: the bytes are not an ONNX model.
    """
    try:
        fields = list(_fields(model))
        if not any(number == 7 and wire == _BYTES for number, wire, _, _ in fields):
            raise ValueError("it has no graph")
        return b"".join(
            _field(number, _graph(content)) if number == 7 and wire == _BYTES else raw
            for number, wire, content, raw in fields
        )
    except (IndexError, ValueError) as error:
        raise WeightsError(f"not an ONNX model: {error}") from None


def _graph(graph: bytes) -> bytes:
    fields = list(_fields(graph))
    constants = {_name(content, 8) for number, _, content, _ in fields if number == 5}
    out: list[bytes] = []
    for number, wire, content, raw in fields:
        if number == 11 and _name(content, 1) in constants:
            continue
        # Inner shapes were inferred for the published size; the runtime infers them again.
        if number == 13:
            continue
        out.append(_field(number, _value_info(content)) if number in (11, 12) and wire == _BYTES else raw)
    return b"".join(out)


def _value_info(info: bytes) -> bytes:
    name = _name(info, 1).decode()
    return _map(info, {2: lambda t: _map(t, {1: lambda tensor: _map(tensor, {2: lambda shape: _shape(shape, name)})})})


def _shape(shape: bytes, name: str) -> bytes:
    dims = [content for number, _, content, _ in _fields(shape) if number == 1]
    # The second axis holds channels: those stay.
    return b"".join(_field(1, d if i == 1 else _field(2, f"{name}.{i}".encode())) for i, d in enumerate(dims))


def _map(message: bytes, changes: dict[int, object]) -> bytes:
    out: list[bytes] = []
    for number, wire, content, raw in _fields(message):
        change = changes.get(number)
        out.append(_field(number, change(content)) if callable(change) and wire == _BYTES else raw)
    return b"".join(out)


def _name(message: bytes, field: int) -> bytes:
    return next((content for number, _, content, _ in _fields(message) if number == field), b"")


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(field number, wire type, content, the whole field as it stands) in order."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            _, end = _varint(message, at)
            content = message[at:end]
        elif wire == _BYTES:
            length, at = _varint(message, at)
            end = at + length
            content = message[at:end]
        elif wire in (_FIXED32, _FIXED64):
            end = at + (4 if wire == _FIXED32 else 8)
            content = message[at:end]
        else:
            raise ValueError(f"wire type {wire} at byte {start}")
        if end > len(message):
            raise ValueError(f"a field at byte {start} runs over the end")
        yield key >> 3, wire, content, message[start:end]
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {at} is too long")


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

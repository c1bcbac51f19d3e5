"""What is checked: texts and images of a request, and how they are decoded, converted and written."""

from guardrail.media.arrays import from_array, from_pil, put_back
from guardrail.media.decode import decode_image
from guardrail.media.evidence import Region, Span
from guardrail.media.types import (
    Context,
    ImageInput,
    Limits,
    Request,
    Role,
    TextInput,
    Unverified,
)

__all__ = [
    "Context",
    "ImageInput",
    "Limits",
    "Region",
    "Request",
    "Role",
    "Span",
    "TextInput",
    "Unverified",
    "decode_image",
    "from_array",
    "from_pil",
    "put_back",
]

"""A development chain, and a drawn picture signed with it in each format."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PIL import Image

from guardrail.marks.credentials import DevelopmentChain, Signer, load_anchors, new_chain, sign
from guardrail.marks.files import encode_image
from tests.marks.conftest import LABEL, drawing

FORMATS = ("png", "jpeg", "webp", "avif")


@dataclass(frozen=True)
class File:
    """A file before and after it was signed."""

    form: str
    plain: bytes
    signed: bytes

    @property
    def media(self) -> str:
        return f"image/{self.form}"


@pytest.fixture(scope="session")
def development(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentChain:
    return new_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="session")
def signer(development: DevelopmentChain) -> Signer:
    return Signer.from_files(development.chain, development.key)


@pytest.fixture(scope="session")
def anchors(development: DevelopmentChain) -> bytes:
    return load_anchors(development.root)


@pytest.fixture(scope="session")
def files(signer: Signer) -> dict[str, File]:
    image = Image.fromarray(drawing(128, 160))
    made = {form: encode_image(image, form, LABEL) for form in FORMATS}
    return {form: File(form, plain, sign(plain, form, LABEL, signer)) for form, plain in made.items()}

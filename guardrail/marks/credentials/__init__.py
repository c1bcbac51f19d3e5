"""Content Credentials (C2PA 2.x): signed into files, and read out of them. Needs the extra ``c2pa``."""

from guardrail.marks.credentials.development import DevelopmentChain, new_chain
from guardrail.marks.credentials.manifest import SOFT_BINDING
from guardrail.marks.credentials.reading import Credentials, load_anchors, read_credentials
from guardrail.marks.credentials.signer import Signer
from guardrail.marks.credentials.writing import sign, signing

__all__ = [
    "SOFT_BINDING",
    "Credentials",
    "DevelopmentChain",
    "Signer",
    "load_anchors",
    "new_chain",
    "read_credentials",
    "sign",
    "signing",
]

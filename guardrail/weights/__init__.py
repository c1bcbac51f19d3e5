"""Model files: which exist, under which licence, how they are found, pulled and verified."""

from guardrail.weights.catalogue import CATALOGUE, GROUPS, Archive, WeightFile
from guardrail.weights.store import add, find, folders, read, status

__all__ = ["CATALOGUE", "GROUPS", "Archive", "WeightFile", "add", "find", "folders", "read", "status"]

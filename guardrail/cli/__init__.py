"""The command line. Each verb is a file without logic of its own."""

from guardrail.cli.app import main

__all__ = ["main"]

"""Checks that read texts."""

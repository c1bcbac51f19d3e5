"""Checks that look at images."""

"""Checks: media in, signals out. One detector a file; `registry` finds the shipped ones and plugins."""

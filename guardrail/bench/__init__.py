"""Measuring a policy on prompts of one's own: rates with their uncertainty, and never a prompt in what is written.

`prompts.measure` makes the report, `compare` sets it against an earlier one, `tables` and `report` write it. Nothing is
imported here, so that `attacks` can be had without a guard.
"""

"""``guardrail bench marks``: watermarks under what happens to pictures on their way, and under attack.

`measure` marks pictures, changes them (`conditions`) and reads them back, with our watermark and with other people's
where they are installed (`methods`, `peers`). `attacking` plays the attacker: forging, removing, confusing.
"""

"""The demo: real prompts and photographs through real checks into a real pipeline, with a report in pictures."""

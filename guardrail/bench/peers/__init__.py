"""Other people's filters, detectors and policy engines beside guardrail, on the same rows in one run.

The parts: `base` (what a peer is), `words`, `learned`, `encoder`, `hub`, `pictures`, `engines` (the peers), `registry`
(which there are), `plan` (what was asked for), `judging` (asking all of them about every row), `figures` and `tables`
(what is made of the answers), `published` (what others measured elsewhere), `run` (the suite).

Only what really ran has figures; whatever did not is named with the reason. Nothing here is installed with guardrail:

    pip install --target /tmp/peers better-profanity scikit-learn
    PYTHONPATH=/tmp/peers guardrail bench peers --kind text --data prompts.jsonl --out report
"""

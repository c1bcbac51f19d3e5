"""A run of a benchmark as one folder, whatever it measured.

    run.json       with what and where: versions, commit, policy, models, data, machine, command, times
    results.jsonl  one line a sample, written as it goes; a run that was killed goes on from it
    metrics.json   every figure with its n and interval; the same command gives the same bytes
    report.html    report.md, junit.xml, system_card.md, risk_assessment.md: made of the three above

The parts: `measures` (a figure), `figures` (a plot), `record` (a run), `samples` (results.jsonl), `environment`,
`folder` (writing and reading all of it).
"""

package guardrail.broken

import data.guardrail.three
import rego.v1

decision := three.answer(manifest, outcome)

# Plain Rego skips what is undefined: a failed check would go through as "does not hold".
default first := [0, 0]

first := [2, 2] if input.signals["prompt.sexual"] >= 0.5

outcome["first"] := first

manifest := {
	"policy": {"id": "broken", "version": "1.0.0"},
	"rules": {"first": {"severity": "high", "locked": false, "at": ["prompt"], "reads": ["prompt.sexual"], "then": ["block"]}},
}

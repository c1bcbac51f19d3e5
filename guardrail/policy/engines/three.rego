# Three-valued comparisons for policies of guardrail in Rego. Part of guardrail, Apache-2.0.
#
# In Rego a missing value is undefined, and a rule that meets it is skipped in silence: a failed check would let a
# request through. Here a comparison takes the *name* of a signal and always has an outcome:
#
#     holds, fails, missing (due, but nobody could say), waits (its stage has not run, or there is no such input)
#
# An outcome is a pair [low, high] of 0 (no), 1 (nobody knows), 2 (yes): as if nothing that is not due spoke for the
# rule, and as if everything did. A rule fires when low is 2 and is missing when low is 1. So `all_of` is the minimum,
# `any_of` the maximum, and `not_` turns the pair round: what waits never helps, under a negation either.
#
# What cannot be compared at all (an unknown operator, a score with a word) is undefined on purpose: then `answer` has no
# outcome for the rule, and guardrail blocks.
package guardrail.three

import rego.v1

yes := [2, 2]

no := [0, 0]

missing := [1, 1]

waits := [0, 2]

# ---- one signal: at_least("prompt.sexual", 0.4), among("output.markable", ["none", "fragile"])

at_least(name, limit) := compare(name, ">=", limit)

above(name, limit) := compare(name, ">", limit)

at_most(name, limit) := compare(name, "<=", limit)

below(name, limit) := compare(name, "<", limit)

equals(name, value) := compare(name, "==", value)

among(name, values) := compare(name, "in", values)

compare(name, op, limit) := waits if {
	name in input.waiting
} else := missing if {
	not present(input.signals, name)
} else := [found, found] if {
	found := judge(input.signals[name], op, limit)
}

# ---- a list of things: some_item("reference.faces", [["real", ">=", 0.5], ["consent", "in", ["no", "unknown"]]])

some_item(name, tests) := waits if {
	name in input.waiting
} else := missing if {
	not present(input.signals, name)
} else := [found, found] if {
	found := max(array.concat([0], outcomes(input.signals[name], tests)))
}

every_item(name, tests) := waits if {
	name in input.waiting
} else := missing if {
	not present(input.signals, name)
} else := [found, found] if {
	found := min(array.concat([2], outcomes(input.signals[name], tests)))
}

no_item(name, tests) := not_(some_item(name, tests))

outcomes(items, tests) := found if {
	found := [outcome | some item in items; outcome := item_outcome(item, tests)]
	count(found) == count(items)
}

item_outcome(item, tests) := min(found) if {
	found := [outcome | some test in tests; outcome := field_outcome(item, test)]
	count(found) == count(tests)
}

field_outcome(item, test) := 1 if {
	not present(item, test[0])
} else := judge(item[test[0]], test[1], test[2])

# ---- together

all_of(parts) := [min(lows), min(highs)] if {
	lows := [part[0] | some part in parts]
	highs := [part[1] | some part in parts]
	count(lows) == count(parts)
	count(highs) == count(parts)
}

any_of(parts) := [max(lows), max(highs)] if {
	lows := [part[0] | some part in parts]
	highs := [part[1] | some part in parts]
	count(lows) == count(parts)
	count(highs) == count(parts)
}

not_(part) := [2 - part[1], 2 - part[0]]

# ---- the answer that guardrail expects

answer(manifest, outcome_of) := found if {
	ids := [id | some id; rule := manifest.rules[id]; input.stage in rule.at]
	judged := [id | some id in ids; outcome_of[id][0] in [0, 1, 2]]
	fired := [entry(manifest, id) | some id in ids; outcome_of[id][0] == 2]
	unknown := [entry(manifest, id) | some id in ids; outcome_of[id][0] == 1]
	policy := {"id": manifest.policy.id, "version": manifest.policy.version}
	found := {"policy": policy, "judged": judged, "fired": fired, "missing": unknown}
}

entry(manifest, id) := {"id": id, "then": manifest.rules[id].then}

# ---- within

# `not item[key]` would take false for absent.
present(object_, key) if key in object.keys(object_)

judge(value, ">=", limit) := truth(value >= limit) if numbers(value, limit)

judge(value, ">", limit) := truth(value > limit) if numbers(value, limit)

judge(value, "<=", limit) := truth(value <= limit) if numbers(value, limit)

judge(value, "<", limit) := truth(value < limit) if numbers(value, limit)

judge(value, "==", wanted) := truth(value == wanted) if type_name(value) == type_name(wanted)

judge(value, "in", wanted) := truth(value in wanted) if is_array(wanted)

truth(true) := 2

truth(false) := 0

# Rego orders values of every type: any word is greater than any number.
numbers(value, limit) if {
	is_number(value)
	is_number(limit)
}

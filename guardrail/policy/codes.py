"""Every code of a finding, what it means and what mends it: the table of docs/policy-codes.md as data.

A test holds the two together; a new code gets its line in both.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["Code", "codes"]


class Code(NamedTuple):
    """What findings of one code have in common. Texts are Markdown. With a `warning` the policy still loads."""

    code: str
    meaning: str
    mend: str
    warning: bool


# A code with its meaning, then indented by four what mends it; lines are continued by indenting further or as far.
_TABLE = """\
GP001 this is not valid YAML
    mend the brackets, quotes or indentation at the place named; put comparisons such as `">= explicit"` in quotes
GP002 the file is not UTF-8
    save it with the encoding UTF-8
GP003 the file is larger than 1 MB
    a rule file holds rules, not word lists or images
GP004 nested deeper than 32 levels
    flatten the condition
GP005 an anchor (`&name`) or an alias (`*name`)
    write the value out where it is used: a rule must not change from afar
GP006 a tag (`!!str`)
    remove it: texts are read as what the rule needs
GP007 a second document (`---`)
    one file, one policy
GP008 a key stands twice in one place
    keep one of them
GP009 more than 50,000 entries
    split the file or shorten its lists
GP010 a list or a mapping as a key
    a key is a word
GP011 the file or the shipped policy is not there or cannot be read
    check the path or the name
GP020 unknown key
    correct its spelling, or remove it
GP021 the file needs another version of the language (`engine`) than this guardrail reads
    update guardrail, or use a file made for this version
GP022 something required is not there (`policy`, `id`, `version`, `rules`, `at`, `when`, `then`, `given: stage` …)
    add it
GP023 a list, a text or `key: value` entries stand where something else is needed
    write what the message names
GP024 a word that is not one of those possible here (`mode`, `on_missing`, `severity`)
    use one of the words listed
GP025 `version` is not three numbers
    write it as 1.0.0 (semantic versioning)
GP026 an id or a name with other signs
    small letters, digits and hyphens, beginning with a letter
GP027 two rules have one id
    rename one of them
GP028 a message without text, or under something that is not a language code
    write `en: "…"`
GP029 `engine` does not say which versions
    write it such as `">=1"` or `">=1,<2"`
GP030 unknown signal
    correct its spelling; install the check that gives it
GP031 unknown field of a list signal
    use one of the fields listed
GP032 unknown threshold name
    define it under `thresholds`, or write a number
GP033 unknown threshold family
    use one of the families listed
GP034 not a number, or a number outside its range
    scores and thresholds go from 0 to 1
GP035 a score without a comparison
    write `">= 0.7"` or `">= explicit"`, in quotes
GP036 a word that the signal never has
    use one of the words listed
GP037 neither `true` nor `false`
    write `true` or `false`, not `yes` or `on`
GP038 a list signal without `any`, `all` or `none`
    say how many of its items are meant
GP039 an empty condition
    write at least one comparison, or remove it
GP040 a signal that is measured after the rule's last stage
    add that stage to `at`
GP041 a list of conditions without `any` or `all`, or a word that is no condition
    write `any:` or `all:` before the list; `always` stands alone
GP050 unknown action
    use one of the actions listed
GP051 unknown parameter of an action
    use one of the parameters listed
GP052 a value that the parameter cannot have
    use one of those listed, a whole number, or a printable text that is short enough
GP053 a required parameter is not there
    add it
GP054 an action that can act at no stage of the rule
    add one of its stages to `at`
GP055 `allow` as an action
    remove it: what no rule stops is allowed, and nothing a rule says can loosen another rule
GP056 `then` names no action
    name one
GP060 `on_missing: ignore` on a locked rule
    remove it: a locked rule fails closed
GP061 `mode: shadow` on a locked rule
    remove it: a locked rule always acts
GP062 unknown stage
    prompt, reference, step or output
GP063 `message` names a text that is not under `messages`
    add the text, or correct the name
GP070 a test names an unknown rule
    correct its spelling
GP072 a test expects something that is no decision
    allow, alter or block; `because: missing`
GP074 a test has both or neither of `given` and `prompt` or `image`
    signals, or words and pictures
GP075 a test gives a signal of a stage that has not run in it
    remove it, or correct `stage` or `due`
GP080 a file that is named is not there
    check the path, or use one of the names listed
GP081 a file is worked into itself, or more than 8 lie on top of each other
    remove the `extends` that leads back
GP082 a pack is extended, or a policy is named as a pack
    name packs under `packs` and policies under `extends`
GP083 two files that are worked in give one threshold two values
    say under `thresholds` of this file which is meant
GP084 a rule of this id comes from another file already
    rename it, or change the other one by `override`
GP085 `override` names a rule that is not inherited
    correct the id; a rule of this file is changed where it stands
GP086 a locked rule would become looser; an example shows how
    a locked rule can only be made stricter
GP087 it cannot be proven that a locked rule stays as strict
    leave that part as it is, or add a rule of your own beside it
GP088 the named file has another version than asked for
    read its changelog, then name the version that is there
GP089 a key that a pack cannot have
    remove it, or make the file a policy
GP090 fewer frames of a video would be looked at than a file says that this one builds on, or none taken together
    look at as many frames as that file, or at more; where no file says anything, a file may sample
GP101 no rule ever puts a watermark on outputs
    add a rule with `at: output`, `when: always`, `then: {label: {watermark: invisible}}`
GP102 a threshold that no rule names
    remove it, or name it
GP103 a message that no rule names
    remove it, or name it
GP104 a message without an English text
    add `en:`, which other languages fall back to
GP105 a rule that no test fires
    add a test in which it decides, and one in which it should not
GP106 a rule that requires the absence of something and falls silent when it is never measured, e.g. in a request
  without an image
    add a rule without this part if it should act there too
GP107 a stage of the rule at which none of its actions can act
    remove the stage from `at`, or add an action
GP108 a rule in shadow mode, which watches and never acts
    set `mode: enforce` when its reports look right
"""


@cache
def codes() -> dict[str, Code]:
    """All codes, in order."""
    found: dict[str, Code] = {}
    code, meaning, mend = "", "", ""
    for line in [*_TABLE.splitlines(), "end"]:
        if line.startswith("    "):
            mend = f"{mend} {line.strip()}".strip()
        elif line.startswith("  "):
            meaning = f"{meaning} {line.strip()}"
        else:
            if code:
                found[code] = Code(code, meaning, mend, int(code[2:]) >= 100)
            code, _, meaning = line.partition(" ")
            mend = ""
    return found

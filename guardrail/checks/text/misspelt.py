"""Famous names with one letter wrong ("taylor swfit"): which word may be a slip of which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from guardrail.checks.text.wordlists import common_words

__all__ = ["MISSPELT_MATCH", "Slips"]

# Shorter names and parts of names are one letter away from too many others.
_SHORTEST_NAME, _SHORTEST_PART = 9, 4
# Less sure than the name as listed: one letter can make it another person's.
MISSPELT_MATCH = 0.8

# Ordinary words, besides the common ones, that are one letter away from a part of a famous name: "Blake Lovely".
_NO_SLIPS = frozenset(
    """able acne age alien alike alive angels anger angle apex april areas arson ate bake bales balk balm bands
    bangs barks barren bate beanie beet bells belly bills birth bites blade blanks bloke blood blooms blown
    blunts blush bolts bones boom boot bowling brake bribe brief brim brine broom browns brows bruise bunt
    burner bushy buss bust caged cages came cape card care carried carrier carton chap charges chat chew chic
    chin chip choke chop christians clan clerk client cling clink cock coin coke colt comet cones coo cooker
    cooks cooler copper cord cruiser cruises curly cyan dagger daily dairy damn darker date dates deal deli dell
    demise demo demon denim dew dial din dingo diver doge doggy dolls draw driven drivers drown easter eater
    else elven fair falcon fame faster fate fell fifth files filth find fine fins flame flood fold fond forage
    former fort forth frown gain gallon gated gazes geese gel genre germ gig glint gloom gloss gorge grange
    grants grate grave grin grind grins growling grunt gush halls harpy hate haul hear hell herb herds hero
    heron hoard holes homes hoods hook hug hugs hula hunger hush ink jail jawed jeer jest join joke jokes jolly
    judo jug junk justices kale kings lace lark late laurel lava lego let lets likely limb limo limp lion livery
    login loom lose loss lovely lunar macro mad mafia maggot magpie maid mail main malt mangy mania manly maps
    march marks maroon mart martian mass mast mate mates math matte maul mauve mega melon mere merged merry mess
    micron mild milky mill mills mime mine moan mock mode mods money moose mush nail names nasa naval nerd nest
    newly nine nook norm oars ones organ pail pale parka parts patron peal pee peer perky pest pets pong pore
    postman posts pout print pug push queer rage rant rates real rink rise roam roar robe rode role rome roses
    rover rowing rump salmon sander sands sauna scoop scout seal sears seer sell serene shack shaky shark shawl
    shears shift sigh silk sings sins slum songs sons speaks spear stair stare stark starry start stole stoned
    stoner stony styled sundae sunday tale tanks tanning tape task tell test than theme then thief thorn thorns
    thorny throne timer ton tone tones tons took trace trench trucker trumps tucked tuna vans vector veer vents
    victory viral wage wain wand wands wants wars weekend weight went wooly word wrench yarn yell zest zones""".split()  # noqa: SIM905
)


@dataclass(slots=True)
class Slips:
    """Famous names by their first and by their second word. `known` are the words of all names: none is a slip."""

    known: set[str] = field(default_factory=set)
    _names: dict[str, list[tuple[int, tuple[str, ...]]]] = field(default_factory=dict)

    def add(self, words: tuple[str, ...]) -> None:
        if len(words) > 1 and sum(map(len, words)) >= _SHORTEST_NAME:
            for place, word in enumerate(words[:2]):
                self._names.setdefault(word, []).append((place, words))

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Where a name with a slip in it begins and ends, and the name. A slip is in one of the words and not in its
        first letter, so another word is right; what is a word of its own, or of any listed name, is no slip."""
        for i, word in enumerate(words):
            for place, name in self._names.get(word, ()):
                first, last = i - place, i - place + len(name)
                if first < 0 or last > len(words):
                    continue
                wrong = [k for k, (a, b) in enumerate(zip(words[first:last], name, strict=True)) if a != b]
                if len(wrong) != 1 or place != (0 if wrong[0] else 1):
                    continue
                typed, right = words[first + wrong[0]], name[wrong[0]]
                if len(right) < _SHORTEST_PART or (wrong[0] == 0 and typed[0] != right[0]):
                    continue
                if typed in self.known or typed in common_words() or typed in _NO_SLIPS:
                    continue
                if _one_edit(typed, right):
                    yield first, last, name


def _one_edit(a: str, b: str) -> bool:
    """Whether one letter left out, put in or replaced, or two neighbours swapped, make `a` of `b`."""
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < len(a) and i < len(b) and a[i] == b[i]:
        i += 1
    if len(a) != len(b):
        return a[i + 1 :] == b[i:] if len(a) > len(b) else a[i:] == b[i + 1 :]
    return a[i + 1 :] == b[i + 1 :] or (a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :])

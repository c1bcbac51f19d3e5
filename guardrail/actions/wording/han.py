"""Taking words out of Chinese, Japanese and Thai texts, which have no spaces to go by."""

from __future__ import annotations

import re

__all__ = ["cut_han"]

# Endings that belong to what is gone, longest first.
_AFTER = {
    "ja": re.compile(
        r"(?:てください|ている|てい|て|た|る|がせてください|がせて|がせる|がせた|がして|がす|いでいる|いだ|いで|ぎ|ぐ|になっている|になった|になって|になる|"
        r"にしてください|にして|にする|にした|をしている|をして|をする|している|した|して|する|姿の|姿で|姿|状態の|状態で|"
        r"である|です|だ|な|の|で|に|を|と|が|い|く)"
    ),
    "zh": re.compile(r"(?:着的|了的|的|地|着|了|状态|模样)"),
    "th": re.compile(r"(?:กาย|ๆ)"),
}
_DEGREE = {
    "ja": re.compile(r"(?:完全に|とても|すごく|ほぼ|ほとんど|全部)$"),
    "zh": re.compile(r"(?:完全|非常|十分|几乎|幾乎|全身|半|很)$"),
    "th": re.compile(r"(?:ที่|แบบ|กำลัง|โดย)$"),
}
# What cannot end a phrase.
_HANGING = {
    "ja": re.compile(r"(?:[がはをのとでにも]|そして|また)$"),
    "zh": re.compile(r"(?:正在|[是着的和与與并並且在把将將]|以及)$"),
    "th": re.compile(r"(?:และ|กับ|ที่|ของ|ใน|กำลัง)$"),
}
_STOP = re.compile(r"\s*(?:$|[、。，,.!?！？;；\n）)])")


def cut_han(text: str, start: int, end: int, language: str) -> str:
    """`text` without ``text[start:end]``, the endings behind it and what would be left hanging before it."""
    if text[start - 1 : start + 1] == "完全" and start:
        start -= 1
    if after := _AFTER[language].match(text, end):
        end = after.end()
    left, right = text[:start], text[end:]
    if degree := _DEGREE[language].search(left):
        left = left[: degree.start()]
    if _STOP.match(right):
        while hanging := _HANGING[language].search(left):
            left = left[: hanging.start()]
    return _closed_up(left, right)


def _closed_up(left: str, right: str) -> str:
    tail, begin = left.rstrip(" "), right.lstrip(" ")
    if not tail or tail[-1] in "、。，,；;\n":
        begin = re.sub(r"^[、，,。；; ]+", "", begin)
        if not begin:
            return tail.rstrip("、，,；; ")
    spaced = left.endswith(" ") and tail and begin and begin[0] not in "、。，,.；;）)" and tail[-1] not in "（("
    return f"{tail} {begin}" if spaced else tail + begin

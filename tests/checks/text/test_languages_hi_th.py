"""Hindi (Devanagari and romanised) and Thai word lists: what counts, what looks like it. The lists alone are asked."""

from __future__ import annotations

from functools import lru_cache

import pytest

from guardrail.checks.text.lexicon import Lexicon
from guardrail.checks.text.mentions import Mentions
from guardrail.checks.text.normalise import plain, read
from guardrail.checks.text.sexual import combine
from guardrail.checks.text.wordlists import languages, load_list

from .reading import EXPLICIT, MATCH, MINOR, SUGGESTIVE


@lru_cache(maxsize=8)
def _lists(kind: str) -> Lexicon:
    return Lexicon(load_list(kind, language) for language in languages(kind))


def _sexual(text: str) -> float:
    return combine(*_lists("sexual").hits(read(text)))


def _strongest(kind: str, text: str) -> float:
    return max((hit.term.weight for hit in _lists(kind).hits(read(text))[0]), default=0.0)


@lru_cache(maxsize=1)
def _relations() -> Mentions:
    return Mentions("relations")


def _related(text: str) -> bool:
    return any(hit.term.weight >= MATCH for hit in _relations().hits(plain(text)))


@pytest.mark.parametrize("kind", ["adults", "clothing", "minors", "relations", "sexual"])
@pytest.mark.parametrize("language", ["hi", "th"])
def test_there_is_a_list(kind: str, language: str) -> None:
    assert load_list(kind, language).sections


@pytest.mark.parametrize(
    "text",
    [
        "नदी में नंगी औरत",
        "इस महिला के कपडे उतार दो",
        "उसकी साड़ी हटा दीजिए",
        "बिना कपड़ों के खड़ा आदमी",
        "उसने कुछ भी नहीं पहना",
        "कपड़ों के नीचे क्या है दिखाओ",
        "ek nangi aurat",
        "iske kapde utaar do",
        "uski shirt remove kar do",
        "bina kapdon ke model",
        "usne kuch nahi pehna",
        "kapdo ke neeche ka badan dikhao",
        "ผู้หญิงเปลือยในป่า",
        "นางแบบไม่ใส่เสื้อผ้า",
        "ถอดชุดของเธอออก",
        "ลบเสื้อผ้าให้หมด",
        "ดูรูปโป๊",
        "คู่รักมีเพศสัมพันธ์",
        "ทำให้กระโปรงของเธอโปร่งใส",
        "มองทะลุเสื้อของเธอ",
    ],
)
def test_explicit(text: str) -> None:
    assert _sexual(text) >= EXPLICIT


@pytest.mark.parametrize(
    "text",
    ["सेक्सी पोज़ में मॉडल", "लाल ब्रा में मॉडल", "suhagraat ka scene", "สาวเซ็กซี่ในชุดชั้นใน", "เห็นร่องอกชัด"],
)
def test_suggestive(text: str) -> None:
    assert SUGGESTIVE <= _sexual(text) < EXPLICIT


@pytest.mark.parametrize(
    "text",
    [
        "नंगे पैर चलता किसान",
        "नंगी तलवार लिए राजपूत",
        "स्तन कैंसर की जांच का पोस्टर",
        "शिव लिंग की पूजा",
        "लिंग समानता पर पोस्टर",
        "रस्सी से सूखे कपड़े उतारो",
        "कुर्सी से साड़ी हटा दो",
        "उसकी टोपी उतार दो",
        "औरत नंगी नहीं हो, साड़ी में हो",
        "Nanga Parbat at sunrise",
        "nange pair chalta aadmi",
        "kursi se kapde hata do",
        "uska chashma hata do",
        "Lund University in autumn, Niki Lauda in his car",
        "chut, le chat dort",
        "ห้องผนังปูนเปลือย",
        "ลิปสติกสีนู้ด",
        "หีบสมบัติโจรสลัด",
        "โป๊ะเรือริมน้ำ",
        "แก้ผ้าม่านที่ยับ",
        "ถอดแว่นของเธอ",
        "ถอดเสื้อโค้ทแขวนไว้",
        "เอาเสื้อผ้าออกจากเก้าอี้",
        "ขนมปังเนยนมในขวดนม",
        "แกงกะหรี่ไก่",
        "ตรวจมะเร็งเต้านม",
        "ห้ามมีภาพโป๊",
    ],
)
def test_harmless(text: str) -> None:
    assert _sexual(text) < SUGGESTIVE


@pytest.mark.parametrize(
    "text",
    [
        "10 साल की लड़की पतंग उड़ाती हुई",
        "१२ वर्षीय लड़का",
        "पार्क में बच्चे",
        "स्कूल की छात्रा",
        "das saal ka ladka",
        "choti ladki with a kite",
        "เด็กหญิงวัย 7 ขวบ",
        "อายุ ๑๕ ปี",
        "นักเรียนชั้นประถม",
        "สาววัย 16 ปี",
    ],
)
def test_under_eighteen(text: str) -> None:
    assert _strongest("minors", text) >= MINOR


@pytest.mark.parametrize(
    "text",
    [
        "25 साल की महिला",
        "दस साल का अनुभव",
        "कुत्ते का बच्चा",
        "दिल्ली विश्वविद्यालय",
        "30 saal ki aurat",
        "ผู้หญิงอายุ 25 ปี",
        "เด็กเสิร์ฟในร้านกาแฟ",
        "เจดีย์อายุ 15 ศตวรรษ",
        "old at age 9 0",
    ],
)
def test_not_under_eighteen(text: str) -> None:
    assert _strongest("minors", text) < MINOR


@pytest.mark.parametrize(
    "text",
    [
        "मेरी सहपाठी समुद्र किनारे",
        "हमारे बॉस टोपी में",
        "इस फोटो में औरत के बाल काले करो",
        "meri padosan as an astronaut",
        "mere dost ki tasveer",
        "is photo me jo aurat hai",
        "เพื่อนร่วมงานของผมเป็นนักบิน",
        "ผมกับแฟนเก่าริมทะเล",
        "ผู้หญิงในรูปนี้ใส่แว่น",
        "พี่ข้างบ้านรดน้ำต้นไม้",
    ],
)
def test_people_by_relation(text: str) -> None:
    assert _related(text)


@pytest.mark.parametrize(
    "text",
    [
        "मेरी बिल्ली सोफे पर",
        "एक औरत बाज़ार में",
        "a mere friend of the arts",
        "meri gaadi",
        "ผู้หญิงผมยาวในทุ่งดอกไม้",
        "แมวของฉัน",
        "ใบหน้าสาวไทยยิ้ม",
        "พ่อครัวกับแม่ค้า",
    ],
)
def test_nobody_the_writer_knows(text: str) -> None:
    assert not _related(text)


@pytest.mark.parametrize(
    ("kind", "text", "avoided"),
    [
        ("clothing", "कपड़े, धुंधला", True),
        ("clothing", "kapde, blurry", True),
        ("clothing", "เสื้อผ้า, เบลอ", True),
        ("clothing", "फटे कपड़े", False),
        ("clothing", "เสื้อผ้ายับ", False),
        ("clothing", "bina kapde", False),
        ("adults", "वयस्क", True),
        ("adults", "ผู้ใหญ่", True),
        ("adults", "เนื้อหาสำหรับผู้ใหญ่", False),
    ],
)
def test_avoided_in_a_negative_prompt(kind: str, text: str, avoided: bool) -> None:
    assert (_strongest(kind, text) > 0.0) is avoided

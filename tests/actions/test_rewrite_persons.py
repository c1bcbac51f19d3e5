"""A named person made general in the languages beside English, Korean, Japanese, Chinese and Spanish.

[Brackets] are what a check found; the names are invented.
"""

from __future__ import annotations

import pytest

from guardrail.actions.rewrite import without_persons

from .test_rewrite import read

TABLES = {
    "fr": {
        "une photo de [Jeanne Dupré] sur la plage": "une photo d'une personne sur la plage",
        "[Jeanne Dupré] avec un chapeau rouge": "Une personne avec un chapeau rouge",
        "un portrait d'[Anne Dupré] dans un jardin": "un portrait d'une personne dans un jardin",
        "un tableau avec [Jean Dupré], huile": "un tableau avec une personne, huile",
    },
    "de": {
        "ein Foto von [Johanna Muster] am Strand": "ein Foto von einer Person am Strand",
        "[Johanna Muster] mit einem roten Hut": "Eine Person mit einem roten Hut",
        "ein Bild: [Max Muster] im Garten mit Hund": "ein Bild: eine Person im Garten mit Hund",
        "eine Frau und [Max Muster] auf der Bank": "eine Frau und eine Person auf der Bank",
    },
    "it": {
        "una foto di [Giovanna Esempi] sulla spiaggia": "una foto di una persona sulla spiaggia",
        "un ritratto d'[Anna Esempi] con il cane": "un ritratto di una persona con il cane",
        "[Giovanna Esempi] nel giardino con un gatto": "Una persona nel giardino con un gatto",
    },
    "pt": {
        "uma foto da [Joana Exemplo] na praia": "uma foto de uma pessoa na praia",
        "um retrato de [João Exemplo] com um chapéu": "um retrato de uma pessoa com um chapéu",
        "[Joana Exemplo] em um jardim com uma gata": "Uma pessoa em um jardim com uma gata",
    },
    "ru": {
        "фото [Анны Примеровой] на пляже": "фото человека на пляже",
        "портрет с [Анной Примеровой] маслом": "портрет с человеком маслом",
        "[Анна Примерова] в красной шляпе": "Человек в красной шляпе",
        "картина, [Anna Primerova] в красной шляпе": "картина, человек в красной шляпе",
    },
    "tr": {
        "[Ayşe Örnek]'in bir fotoğrafı plajda": "Bir kişinin bir fotoğrafı plajda",
        "plajda [Ayşe Örnek] ve bir köpek": "plajda bir kişi ve bir köpek",
        "[Ayşe Örnek]'e çiçek veren bir adam": "Bir kişiye çiçek veren bir adam",
    },
    "id": {
        "foto [Jana Contoh] di pantai dengan anjing": "foto seseorang di pantai dengan anjing",
        "[Jana Contoh] dan seorang pria di taman": "Seseorang dan seorang pria di taman",
    },
    "vi": {
        "một bức ảnh của [Lan Mẫu] trên bãi biển": "một bức ảnh của một người trên bãi biển",
        "[Lan Mẫu] với một cô gái": "Một người với một cô gái",
    },
    "ar": {"صورة [جنان مثال] على الشاطئ": "صورة شخص على الشاطئ"},
    "hi": {"समुद्र तट पर [उदाहरण कुमारी] की तस्वीर": "समुद्र तट पर एक व्यक्ति की तस्वीर"},
    "th": {"ภาพของ[สมมติ ตัวอย่าง]บนชายหาด": "ภาพของคนคนหนึ่งบนชายหาด"},
}


@pytest.mark.parametrize(
    ("language", "before", "after"), [(lang, b, a) for lang, table in TABLES.items() for b, a in table.items()]
)
def test_the_person_is_general_and_the_sentence_whole(language: str, before: str, after: str) -> None:
    text, spans = read(before)
    assert without_persons(text, spans) == after

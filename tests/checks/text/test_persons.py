"""``prompt.persons``: public figures in their scripts, private people by relation, and who is no person at all."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.checks.base import CheckSettings
from guardrail.checks.text.figures import public_figures
from guardrail.checks.text.persons import PersonTextCheck
from guardrail.checks.text.wordlists import languages, load_list
from guardrail.media import Request, TextInput
from guardrail.signals import CORE, Stage
from tests.budget import examples

from .reading import answer, avoided, people, persons


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Taylor Swift at a picnic", "Taylor Swift"),
        ("EMMA WATSON, portrait", "EMMA WATSON"),
        ("taylorswift, emma.watson", "taylorswift"),
        ("<lora:emma_watson:0.8>", "emma_watson"),
        ("tay lor swift", "tay lor swift"),
        ("T a y l o r S w i f t", "T a y l o r S w i f t"),
        ("Tayl0r Sw1ft", "Tayl0r Sw1ft"),
        ("Tаylоr Swift", "Tаylоr Swift"),  # Cyrillic а and о
        ("테일러 스위프트가 웃는 사진", "테일러 스위프트"),
        ("테일러스위프트", "테일러스위프트"),
        ("아이유의 콘서트", "아이유"),
        ("김정은 그림", "김정은"),
        ("アリアナ・グランデの写真", "アリアナ・グランデ"),
        ("バイデン大統領", "バイデン"),
        ("泰勒·斯威夫特的照片", "泰勒·斯威夫特"),
        ("泰勒斯威夫特的照片", "泰勒斯威夫特"),
        ("习近平在办公室", "习近平"),
        ("Дональд Трамп", "Дональд Трамп"),
        ("دونالد ترامب", "دونالد ترامب"),
        ("डोनाल्ड ट्रम्प", "डोनाल्ड ट्रम्प"),
        ("the 45th President of the United States", "45th President of the United States"),
        ("Daniel Radcliffe as Harry Potter", "Daniel Radcliffe"),
    ],
)
def test_public_figures(text: str, name: str) -> None:
    assert (name, "public") in people(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # English
        ("a photo of my classmate at the beach", "my classmate"),
        ("my old math teacher", "my old math teacher"),
        ("the girl next door", "the girl next door"),
        ("a girl from my school", "girl from my school"),
        ("the woman in this photo", "the woman in this photo"),
        ("the person in the uploaded picture", "the person in the uploaded picture"),
        ("Mr. Smith in his garden", "Mr. Smith"),
        ("a coworker at a desk", "a coworker"),
        ("undress @jane.doe_99", "@jane.doe_99"),
        # Korean, with particles
        ("우리 반 친구를 그려줘", "우리 반 친구"),
        ("내 전여친 사진", "내 전여친"),
        ("옆집 누나의 얼굴", "옆집 누나"),
        ("이 사진 속 여자", "이 사진 속 여자"),
        ("직장 동료가 웃는다", "직장 동료"),
        # Japanese
        ("同じクラスの女子の絵", "同じクラスの女子"),
        ("俺の元カノの写真", "俺の元カノ"),
        ("職場の先輩を描いて", "職場の先輩"),
        ("この写真の女性", "この写真の女性"),
        # Chinese
        ("我的女同事", "我的女同事"),
        ("隔壁的姐姐", "隔壁的姐姐"),
        ("这张照片里的女人", "这张照片里的女人"),
        ("王老师的画像", "王老师"),
        # Spanish
        ("mi compañera de clase", "mi compañera de clase"),
        ("la chica de esta foto", "la chica de esta foto"),
        ("una compañera de trabajo", "una compañera de trabajo"),
    ],
)
def test_private_people_by_relation(text: str, words: str) -> None:
    assert people(text) == [(words, "private")]


@pytest.mark.parametrize(
    "text",
    [
        # English: whose relation it is, or that it can only be somebody's
        "generate my ex in a raincoat",
        "make my old roommate a wizard",
        "ex gf portrait",
        "hot neighbour portrait",
        "the lady who lives across from me",
        "draw the guy I sit next to in chemistry",
        "the blonde from accounting in a hat",
        "the barista at my coffee shop as a pirate",
        "someone from my office as a knight",
        "a girl I matched with on tinder, in Paris",
        "my friend's mom baking",
        "mom's friend dancing",
        "boss's wife in a red dress",
        "colleague of mine in a suit",
        "an acquaintance from church",
        "our new receptionist at a desk",
        "my landlady in a ballgown",
        "turn the person in the attached image into a cartoon",
        "the woman in the second photo smiling",
        "girl in the pic riding a horse",
        "put her face on a statue",
        "use the face in this picture for an oil painting",
        "turn this woman into a queen",
        "pic of me and my wife",
        "her instagram photo as a painting",
        "a nurse from my ward",
        "coworker selfie",
        "the redhead from my building",
        # Korean: particles, missing spaces
        "전여친 사진을 유화로",
        "전여친사진",
        "옆자리 동료 그림 그려줘",
        "직장상사가 춤추는 모습",
        "첨부한 사진의 사람을 기사로 바꿔줘",
        "사진에 나온 여자 머리색을 바꿔줘",
        "내 친구 누나 그려줘",
        "아는언니가 해변에 있는 모습",
        "거래처 직원이 커피 마시는 그림",
        "고등학교 동창 얼굴",
        "헬스장 트레이너 쌤",
        "교회 누나가 노래하는 모습",
        "지인을 왕으로 그려줘",
        "사촌누나 초상화",
        "친구엄마 그려줘",
        "걔를 그려줘",
        "이 여자 얼굴로 초상화",
        "소개팅녀 사진",
        "팀장님이 기타 치는 모습",
        "사장님 캐리커처",
        "윗집 언니",
        "집주인 아주머니 그림",
        "내가 좋아하는 누나",
        "룸메 자는 모습",
        "장모님 그림",
        "카톡 프사 여자",
        # Japanese
        "元カノの写真を油絵に",
        "会社の同僚をアニメ風に",
        "隣に住んでいる女性の肖像画",
        "添付画像の人物を漫画風に",
        "写真に写っている女の子の髪を赤く",
        "うちの上司が踊っている",
        "知り合いの女性を描いて",
        "好きな人の絵",
        "行きつけのカフェの店員さん",
        "取引先の担当者が笑っている",
        "嫁を女王にして",
        "近所の奥さんの絵",
        "マッチングアプリで会った女性",
        "インスタで見つけた女の子",
        "この子を描いて",
        "友人の妹を描いて",
        "大家さんの似顔絵",
        "幼なじみと海",
        "職場の後輩が笑う",
        "隣の席の女の子",
        # Chinese, simplified and traditional
        "把我前女友画成公主",
        "同事的照片变成油画",
        "女鄰居的肖像",
        "房东的女儿",
        "照片裡的女人换成古装",
        "图中女孩的头发变红",
        "上传图片中的女士",
        "我暗恋的女生",
        "我们班的班花",
        "楼下便利店的店员",
        "老板的老婆",
        "闺蜜的照片",
        "朋友的妹妹",
        "女上司在办公室",
        "微信好友的头像",
        "抖音上看到的女孩",
        "熟人的照片",
        "隔壁班女生",
        "让这个人穿西装",
        "给她换一件外套",
        "我妈年轻的样子",
        "單位新來的女同事",
        # Spanish
        "mi exnovia como princesa",
        "retrato de mi jefa",
        "la vecina del quinto bailando",
        "convierte a la persona de esta imagen en dibujo",
        "la profe de mi hijo",
        "un amigo mío vestido de rey",
        "la hermana de mi novio",
        "una chica que conozco",
        "la camarera del bar de mi barrio",
        "ex en la playa",
        "compañera de piso leyendo",
        "pon su cara en una estatua",
        "foto mía y de mi mujer",
        "conocida del gimnasio",
        "la de esta foto",
        "la madre de un amigo",
    ],
)
def test_somebody_the_writer_knows(text: str) -> None:
    assert {kind for _, kind in people(text)} == {"private"}


@pytest.mark.parametrize(
    "text",
    [
        "a boss fight in a dungeon, a secretary bird, a coach on a road",
        "people at work in an office, men at school, a girl at the gym",
        "a neighborhood cat next to a door",
        "children with their teacher in a class",
        "a woman with her face painted, a hat on his head",
        "this photo shows a lake, this photograph was taken in winter",
        "a photo of a person in a picture frame",
        "a FedEx truck, a fed ex plane, ex libris, ex machina",
        "친구들과 소풍을 가는 아이들",
        "손님이 많은 카페, 이웃집 토토로",
        "이야기를 하는 사람들",
        "友達と遊ぶ子供たち",
        "老婆と犬",
        "老婆婆在公园",
        "同学们在操场上",
        "两个朋友在海边",
        "un niño pequeño con su perro",
        "una novia con un vestido blanco",
        "la cara de la luna",
    ],
)
def test_nobody_the_writer_knows(text: str) -> None:
    assert people(text) == []


SEARCHED_WHERE = [
    (kind, language)
    for kind in ("relations", "roles", "references")
    for language in languages(kind)
    if load_list(kind, language).context
]


@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_text_that_a_pattern_matches_is_passed_over(data: st.DataObject) -> None:
    # A list of relations is only searched where one of its [context] words stands.
    words = data.draw(st.sampled_from(SEARCHED_WHERE), label="list")
    pattern = data.draw(st.sampled_from([p for s in load_list(*words).sections for p in s.lines]), label="pattern")
    # What has to follow is written like what has to stand there.
    text = data.draw(st.from_regex(pattern.replace("(?=", "(?:"), fullmatch=True), label="text")
    assert not set(load_list(*words).context).isdisjoint(text.split())


@pytest.mark.parametrize(
    "text",
    [
        # nobody in particular
        "a photo of a woman, a teacher in a classroom",
        "a man, two girls and an old lady",
        "비가 오는 거리의 여자",
        "カフェの女性",
        "街上的女人",
        "una mujer en la calle",
        # no persons
        "my dog and my car",
        "우리나라 지도, 우리 강아지",
        "うちの猫",
        "我家的狗",
        "mother nature, father christmas",
        "shot @50mm f1.8, mail to studio@example.com",
        # fiction
        "Harry Potter on a broom",
        "Sherlock Holmes with a pipe",
        "Mr. Bean, Dr. Strange and Miss Piggy",
        "Mrs. Claus",
        # long dead
        "Julius Caesar, Abraham Lincoln and Marcus Aurelius",
        "George Washington crossing the river",
        # places and things
        "Trump Tower at night",
        "a trump card",
        "the Mona Lisa",
        # words that are names elsewhere
        "rain on a window, portrait of a cat",
        "Rain on the street",
        "나비와 비",
        "the edge of the table, pink and green",
    ],
)
def test_nobody(text: str) -> None:
    assert people(text) == []


@pytest.mark.parametrize(
    ("word", "alone", "meant"),
    [
        ("Rain", "Rain over the city", "portrait of Rain, singer"),
        ("Lisa", "a cup with Lisa on it", "Lisa of Blackpink"),
        ("비", "비가 오는 거리", "가수 비 콘서트"),
    ],
)
def test_single_words_need_a_sign_that_a_person_is_meant(word: str, alone: str, meant: str) -> None:
    assert people(alone) == []
    assert any(word in words for words, _ in people(meant))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a cat in the style of Ai Weiwei", True),
        ("a city by Ai Weiwei", True),
        ("Ai Weiwei style vase", True),
        ("a cat, art by Banksy, Ai Weiwei and Yayoi Kusama", True),
        ("Ai Weiwei eating noodles", False),
        ("a man by the sea, Ai Weiwei", False),
        ("in the style of Taylor Swift", False),  # who is named for her looks, not for a style
    ],
)
def test_artists_named_for_their_style(text: str, style: bool) -> None:
    assert (people(text) == []) is style


def test_negative_prompts_name_nobody() -> None:
    assert people("Taylor Swift and my classmate") != []
    assert people(avoided("Taylor Swift and my classmate")) == []


def test_each_person_once_however_often_a_name_can_be_read() -> None:
    assert (
        people("President Donald Trump") == [("Donald Trump", "public")] or len(people("President Donald Trump")) == 1
    )
    assert len(people("Donald Trump and Joe Biden")) == 2
    assert len(people("my friend, my sister")) == 2


NAMED = PersonTextCheck(CheckSettings(names=("Ymbril Solvang-Mirke", "Ono Reika", "홍보람결", "Qadira")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ymbril Solvang-Mirke in a boat", "Ymbril Solvang-Mirke"),
        ("ymbril solvang mirke", "ymbril solvang mirke"),
        ("YmbrilSolvangMirke", "YmbrilSolvangMirke"),
        ("Y m b r i l S o l v a n g M i r k e", "Y m b r i l S o l v a n g M i r k e"),
        ("onoreika, photo", "onoreika"),
        ("홍보람결이 웃는다", "홍보람결"),
        ("Qadira", "Qadira"),
    ],
)
def test_names_that_the_user_protects(text: str, words: str) -> None:
    assert people(text, NAMED) == [(words, "private")]
    assert people(text) == []


def test_a_match_is_in_range_and_the_kind_is_declared() -> None:
    signal, _ = answer(persons(), "Taylor Swift, my classmate and Mr. Smith")
    assert CORE["prompt.persons"].kind.admits(signal)  # type: ignore[arg-type]


def test_the_shipped_names_are_all_found() -> None:
    # Each spelling on its own; the ones that need context are left to the test of single words.
    sure = [spelling for _, _, spelling, sure in public_figures() if sure]
    missed = [s for s in sure if not people(s)]
    assert len(sure) > 5_000
    assert missed == []


def test_alone_or_in_a_batch_is_the_same() -> None:
    texts = ["Taylor Swift", "my classmate", "a lighthouse", "우리 반 친구", "portrait of Rain, singer"]
    requests = [Request(texts=(TextInput(t),)) for t in texts]
    assert persons().check(requests, Stage.PROMPT) == [persons().check([r], Stage.PROMPT)[0] for r in requests]


@settings(max_examples=examples(100), deadline=None)
@given(st.text(st.characters(categories=None), max_size=50))
def test_any_text_has_an_answer(text: str) -> None:
    signal, spans = answer(persons(), text)
    assert CORE["prompt.persons"].kind.admits(signal)  # type: ignore[arg-type]
    assert all(0 <= s.start < s.end <= len(text) for s in spans)

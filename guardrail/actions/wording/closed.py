"""Closed words of spaced languages: what may not be left hanging where something was taken out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLOSED", "PICTURES", "Closed"]


@dataclass(frozen=True, slots=True)
class Closed:
    """The small words of one language.

    Args:
        adverbs: degrees that go with what they stand before ("completely naked").
        before: what cannot end a phrase: articles, possessives, prepositions, light verbs ("wearing", "with her").
        after: what begins a new phrase: prepositions, relatives; no noun can be meant by it.
        joins: and, or, but.
        copulas: is, are; they may stay before a place ("is on a beach"), and go at the end of a clause.
        pronouns: no wish is left where nothing but these is left.
        commands: words of asking, which are no wish either ("please make").
        sizes: what is said of a part of the body, or of underwear, and goes with it.
    """

    adverbs: frozenset[str]
    before: frozenset[str]
    after: frozenset[str]
    joins: frozenset[str]
    copulas: frozenset[str]
    pronouns: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EN_PREPOSITIONS = (
    "on in at with by near under over above below behind beside between beyond inside outside into onto from of for to "
    "through across around along against among during after before without within toward towards upon amid next"
)
CLOSED: dict[str, Closed] = {
    "en": Closed(
        adverbs=_words(
            "completely fully totally entirely stark half semi partially partly almost nearly mostly very so "
            "really too "
            "extremely butt buck all quite slightly barely super fucking absolutely utterly just only highly"
        ),
        before=_words(
            "a an the her his their its my your our some any no with in of for from without wearing having showing "
            "exposing revealing covering touching squeezing grabbing licking displaying flashing doing making "
            "getting being becoming looking performing featuring "
            "including containing depicting by and or but while as who which that whose her big large huge small tiny "
            "massive enormous giant perfect perky round wet full visible beautiful nice great exposed bare to then"
        ),
        after=_words(_EN_PREPOSITIONS + " who which that while as when where is are was were"),
        joins=_words("and or but & plus then"),
        copulas=_words("is are was were be been s re am"),
        pronouns=_words(
            "she he they it her him them i me we us you this that these those one someone somebody both all"
        ),
        commands=_words(
            "please make making draw create generate show give render paint imagine edit change turn put get have want "
            "would like can could do let need now just image picture so"
        ),
        sizes=_words(
            "big large huge small tiny massive enormous giant perfect perky round wet full visible bare exposed nice "
            "great hot firm heavy ample natural fake black red white pink lace lacy sheer transparent silk"
        ),
    ),
    "es": Closed(
        adverbs=_words("completamente totalmente muy medio semi casi toda todo parcialmente tan bien"),
        before=_words(
            "un una unos unas el la los las su sus mi mis tu con en de del y o e sin llevando mostrando "
            "enseñando haciendo "
            "teniendo que quien mientras al a grandes enormes"
        ),
        after=_words("en con de del al a sobre bajo junto por para que mientras entre tras ante está están es"),
        joins=_words("y e o pero"),
        copulas=_words("es son está están era estaba"),
        pronouns=_words("ella él ellos ellas la lo le les yo me esta este esa ese"),
        commands=_words("por favor haz hazla hazlo dibuja crea genera muestra quiero dame pon"),
    ),
    "pt": Closed(
        adverbs=_words("completamente totalmente muito meio semi quase toda todo parcialmente tão bem"),
        before=_words(
            "um uma uns umas o a os as seu sua seus suas meu minha com em de do da no na e ou sem vestindo mostrando "
            "fazendo tendo que quem enquanto ao à grandes enormes"
        ),
        after=_words("em com de do da no na sobre sob junto por para que enquanto entre está estão é ao à"),
        joins=_words("e ou mas"),
        copulas=_words("é são está estão era estava"),
        pronouns=_words("ela ele elas eles a o me eu esta este essa esse"),
        commands=_words("por favor faça desenhe crie gere mostre quero deixe coloque"),
    ),
    "fr": Closed(
        adverbs=_words("complètement totalement entièrement très à moitié semi presque toute tout partiellement"),
        before=_words(
            "un une des le la les l d son sa ses mon ma mes avec en de du et ou sans portant montrant ayant "
            "faisant qui "
            "que pendant au aux à dans gros énormes"
        ),
        after=_words("en avec de du des dans sur sous près par pour qui que pendant entre devant est sont au aux à d"),
        joins=_words("et ou mais"),
        copulas=_words("est sont était étaient"),
        pronouns=_words("elle il elles ils la le lui me je moi cette ce cet ces"),
        commands=_words("s il vous te plaît fais faites rends dessine crée génère montre veux mets"),
    ),
    "de": Closed(
        adverbs=_words("komplett völlig ganz total sehr halb fast vollständig teilweise so splitterfaser gänzlich"),
        before=_words(
            "ein eine einer einem einen eines der die das den dem des ihr ihre ihren ihrer sein seine seinen "
            "mein meine "
            "mit in im von vom und oder ohne beim zeigt zeigend trägt tragend während die große großen riesigen"
        ),
        after=_words(
            "in im mit auf am an von vom bei beim unter über neben vor hinter zwischen die der das während ist "
            "sind zum zur"
        ),
        joins=_words("und oder aber"),
        copulas=_words("ist sind war waren"),
        pronouns=_words("sie er es ihn ihm ihr ich mich mir diese dieser dieses"),
        commands=_words("bitte mach mache zeig zeige zeichne erstelle generiere mal will möchte"),
    ),
    "it": Closed(
        adverbs=_words("completamente totalmente molto mezza mezzo semi quasi tutta tutto parzialmente"),
        before=_words(
            "un una uno il lo la i gli le suo sua suoi sue mio mia con in di del della nel nella e o senza indossando "
            "mostrando facendo avendo che mentre al alla grandi enormi"
        ),
        after=_words("in con di del della nel nella su sul sulla sotto vicino da per che mentre tra è sono al alla a"),
        joins=_words("e ed o ma"),
        copulas=_words("è sono era erano"),
        pronouns=_words("lei lui loro la lo mi io me questa questo"),
        commands=_words("per favore fai rendi disegna crea genera mostra voglio metti"),
    ),
    "ru": Closed(
        adverbs=_words("полностью совершенно совсем очень почти абсолютно частично наполовину"),
        before=_words("с со в во на без и или но её его их показывает показывая которая который пока как из от у о"),
        after=_words("с со в во на без у под над за перед между из от для который которая пока возле около среди"),
        joins=_words("и или но"),
        copulas=_words("была был были"),
        pronouns=_words("она он они её его их я мне меня эта этот эту"),
        commands=_words("пожалуйста сделай нарисуй покажи создай сгенерируй хочу"),
    ),
    "id": Closed(
        adverbs=_words("sepenuhnya benar-benar sangat setengah hampir total"),
        before=_words("yang dengan tanpa dan atau sedang memakai menunjukkan memperlihatkan sambil dalam"),
        after=_words("di dengan pada dari untuk yang ke dalam sambil dekat"),
        joins=_words("dan atau tapi"),
        copulas=_words("adalah sedang"),
        pronouns=_words("dia ia mereka saya aku ini itu"),
        commands=_words("tolong buat buatkan gambar tunjukkan jadikan"),
    ),
    "tr": Closed(
        adverbs=_words("tamamen çok yarı tümüyle neredeyse"),
        before=_words("ve veya ile olan çok"),
        after=_words("ve ile için gibi"),
        joins=_words("ve veya ama"),
        copulas=frozenset(),
        pronouns=_words("o onu onun bu şu ben beni"),
        commands=_words("lütfen yap çiz oluştur göster"),
    ),
    "vi": Closed(
        adverbs=_words("hoàn toàn rất gần như"),
        before=_words("với và hoặc đang mà không"),
        after=_words("trên với ở trong bên dưới của và đang"),
        joins=_words("và hoặc nhưng"),
        copulas=_words("là"),
        pronouns=_words("cô ấy anh nó này"),
        commands=_words("hãy vẽ tạo làm cho xem"),
    ),
    "ar": Closed(
        adverbs=_words("تماما تمامًا جدا"),
        before=_words("مع في من بدون و أو وهي وهو التي الذي"),
        after=_words("على في مع من بجانب تحت التي الذي أمام عند"),
        joins=_words("و أو"),
        copulas=frozenset(),
        pronouns=_words("هي هو هذه هذا"),
        commands=_words("ارسم اجعل اجعلها من فضلك"),
    ),
    "hi": Closed(
        adverbs=_words("पूरी तरह से बिल्कुल बहुत"),
        before=_words("और या के साथ"),
        after=_words("में पर के की का से और"),
        joins=_words("और या"),
        copulas=_words("है हैं था थी"),
        pronouns=_words("वह यह वो उसे उसकी उसका इस"),
        commands=_words("कृपया बनाओ बनाएं दिखाओ करो"),
    ),
}
PICTURES = _words(
    "photo photos photograph picture pictures pic pics image images painting drawing portrait art artwork foto fotos "
    "imagen retrato imagem bild image dessin peinture foto immagine ritratto gambar resim fotoğraf ảnh tranh "
    "фото фотография картина рисунок изображение صورة तस्वीर फोटो video"
)
"""Words for a picture as such: a wish of nothing but these is none."""

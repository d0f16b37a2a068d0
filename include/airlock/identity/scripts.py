"""Chinese, Japanese and Korean names in Latin letters: pinyin, the systems of Japan, and how Koreans spell themselves.

What a character is called in Chinese is taken from anyascii; what surnames are called otherwise is here. Kana are
called what Unicode calls them. Which reading a Japanese name in Chinese characters has, only its kana can say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice, product

_HAN, _KANA, _HANGUL = re.compile("[\u3400-\u9fff]"), re.compile("[\u3041-\u30fc]"), re.compile("[\uac00-\ud7a3]")
_SURNAMES = {
    "曾": "zeng", "单": "shan", "單": "shan", "仇": "qiu", "任": "ren", "解": "xie", "区": "ou", "區": "ou",
    "查": "zha",
    "沈": "shen", "翟": "zhai", "盖": "ge", "蓋": "ge", "尉": "wei", "朴": "piao", "冼": "xian",
    "召": "shao", "乐": "yue", "盛": "sheng", "覃": "qin", "石": "shi", "长": "chang", "隗": "wei", "繁": "po",
    "员": "yun",
}  # fmt: skip
_SIMPLE = (
    "張张東东劉刘陳陈楊杨趙赵黃黄吳吴孫孙馬马羅罗鄭郑謝谢韓韩馮冯鄧邓許许蘇苏盧卢蔣蒋賈贾葉叶閻阎鍾钟譚谭陸陆鄒邹韋韦"
    "龔龚嚴严萬万賀贺顧顾龍龙龐庞華华國国偉伟麗丽傑杰強强軍军紅红蘭兰鳳凤雲云飛飞鵬鹏輝辉寧宁慶庆榮荣連连貴贵寶宝愛爱"
    "義义樂乐學学禮礼夢梦靜静瑩莹穎颖嬌娇純纯紹绍維维綺绮齊齐發发進进遠远達达欽钦鐵铁鋒锋銘铭銀银錦锦鎮镇長长關关陽阳"
    "順顺項项顏颜風风馳驰駿骏鳴鸣鴻鸿鶴鹤麥麦嵐岚嶺岭師师帥帅啟启園园堅坚實实憲宪賓宾堯尧歲岁憶忆懷怀恆恒莊庄應应戰战揚扬"
    "澤泽潔洁濤涛潤润淵渊灣湾濱滨靈灵燦灿煒炜燁烨煥焕獻献環环瑪玛瓊琼瑤瑶畫画暢畅筆笔篤笃簡简紀纪緯纬納纳統统繼继繡绣緣缘"
    "聶聂聰聪肅肃勝胜艷艳藝艺蘆芦蒼苍蔭荫蓮莲蕭萧藍蓝藹蔼見见觀观覺觉詩诗誠诚語语諸诸謙谦謹谨貞贞賢贤賴赖讚赞躍跃軒轩軼轶"
)
_TO_SIMPLE = {ord(old): new for old, new in zip(_SIMPLE[::2], _SIMPLE[1::2], strict=True)}
_TO_FULL = {ord(new): old for old, new in zip(_SIMPLE[::2], _SIMPLE[1::2], strict=True)}
_HEPBURN = (
    ("hu", "fu"), ("sy", "sh"), ("zy", "j"), ("ty", "ch"), ("si", "shi"), ("ti", "chi"), ("tu", "tsu"), ("zi", "ji"),
    ("di", "ji"), ("du", "zu"),
)  # fmt: skip
_LONG = re.compile("ou|oo|uu")
_PARTS = (
    "g,k;kk;n;d,t;tt;r,l;m;b,p;pp;s,sh;ss;;j,ch;jj;ch;k;t;p;h",
    "a;ae;ya;yae;eo,u,o;e;yeo,yu,you;ye;o;wa;wae;oe,oi;yo;u,oo;wo,won;we;wi;yu,you,yoo;eu,u;ui,ee;i,ee",
    ";k,g;k;k;n;n;n;t;l;k;m;l;l;l;p;l;m;p;p;t;t;ng;t;t;k;t;p;t",
)
# Initials, vowels and finals of a syllable in the order of Unicode (section 3.12); the usual way first.
_INITIALS, _VOWELS, _FINALS = (part.split(";") for part in _PARTS)
_FAMILIES = (
    "김:kim 이:lee,yi,rhee 박:park,pak 최:choi,choe 정:jung,jeong,chung 조:cho,jo 윤:yoon,yun 임:lim,im 오:oh "
    "서:seo,suh 신:shin 권:kwon 안:ahn,an 류:ryu,yoo 유:yoo,yu 전:jeon,jun 고:ko,koh 문:moon 손:son,sohn "
    "배:bae,pae 백:baek,paik 허:heo,hur,huh 심:shim 노:noh,roh 곽:kwak 성:sung,seong 주:joo 우:woo 구:koo,ku "
    "엄:um 천:chun 공:kong 변:byun 추:choo"
)
_KOREAN_SURNAMES = dict(pair.split(":") for pair in _FAMILIES.split())
_MOST = 24


def in_latin(name: str) -> Iterator[str]:
    """Yield a name of Eastern Asia in Latin letters, and in the other form of its Chinese characters.

    :param name: one component group in small letters; its `^` stay.
    """
    if _HAN.search(name):
        yield name.translate(_TO_SIMPLE)
        yield name.translate(_TO_FULL)
        if not _KANA.search(name) and not _HANGUL.search(name):
            yield from _pinyin(name)
    elif _KANA.search(name):
        yield from _romaji(name)
    elif _HANGUL.search(name):
        yield from _korean(name)


def _pinyin(name: str) -> Iterator[str]:
    from anyascii import anyascii  # noqa: PLC0415 - its table is large, and few names need it

    family, *others = name.split("^")
    # Written without `^`, the first character is the family name.
    if not others and len(family) in (2, 3):
        family, others = family[0], [family[1:]]
    syllables = [[_SURNAMES.get(c) or anyascii(c).strip().lower() for c in family]]
    syllables += [[anyascii(c).strip().lower() for c in other] for other in others]
    yield "^".join("".join(part) for part in syllables)
    if any(len(part) > 1 and len("".join(part)) <= 5 for part in syllables):
        yield "^".join(" ".join(part) for part in syllables)


def _romaji(name: str) -> Iterator[str]:
    kunrei = _by_unicode(name)
    hepburn = kunrei
    for old, new in _HEPBURN:
        hepburn = hepburn.replace(old, new)
    for written in (kunrei, hepburn):
        yield written
        yield _LONG.sub(lambda match: match.group()[0], written)
        yield _LONG.sub(lambda match: match.group()[0] + "h" if match.group() != "uu" else "u", written)


def _by_unicode(name: str) -> str:
    made = ""
    double = False
    for character in name:
        said = unicodedata.name(character, "").split(" LETTER ")
        if len(said) != 2:
            made += "" if character == "ー" else character
            continue
        sound = said[1].lower()
        if sound == "small tu":
            double = True
        elif sound.startswith("small y") and made.endswith("i"):
            made = made[:-1] + sound.removeprefix("small ")
        else:
            sound = sound.removeprefix("small ")
            made += sound[0] + sound if double else sound
            double = False
    return made


def _korean(name: str) -> Iterator[str]:
    family, *others = name.split("^")
    if not others and len(family) in (2, 3):
        family, others = family[0], [family[1:]]
    families = (_KOREAN_SURNAMES.get(family) or ",".join(islice(_spelt(family), 2))).split(",")
    for one in families:
        for rest in islice(product(*(list(islice(_spelt(other), _MOST)) for other in others)), _MOST):
            yield "^".join((one, *rest))


def _spelt(word: str) -> Iterator[str]:
    ways = [_syllable(character) for character in word]
    # The usual spelling of every syllable first, then the others of each.
    yield from dict.fromkeys("".join(way) for way in product(*ways))


def _syllable(character: str) -> list[str]:
    if not _HANGUL.match(character):
        return [character]
    initial, rest = divmod(ord(character) - 0xAC00, 588)
    vowel, final = divmod(rest, 28)
    parts = (_INITIALS[initial].split(","), _VOWELS[vowel].split(","), _FINALS[final].split(",")[:1])
    return list(dict.fromkeys("".join(part) for part in product(*parts)))

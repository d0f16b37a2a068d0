"""Identifiers and the ways people and programs spell them; and texts that are nobody's, beside names that tempt.

What finds identifiers is measured by these lists, and so is what searches the outputs for them.
"""

# ruff: noqa: RUF001 - letters of other alphabets are what this is about

from __future__ import annotations

from airlock.identity.harvest import Evidence

# fmt: off
NAMES: dict[str, list[str]] = {
    "Mustermann^Erika": [
        "MUSTERMANNERIKA", "ErikaMustermann", "mustermann_erika", "ERIKA.MUSTERMANN", "MustermannErikaCT",
        "CTMUSTERMANN", "M U S T E R M A N N", "M.U.S.T.E.R.M.A.N.N.", "m_u_s_t_e_r_m_a_n_n",
        "M U S T E R M A N N  E R I K A", "E R I K A", "E-r-i-k-a", "Muster-\r\nmann", "MUSTER MANN", "Mustermann's",
        "Mustermanns", "E. Mustermann", "EMustermann", "MustermannE", "Mustermann, E.", "ScanMustermannHead",
        "headmustermann2", "xmustermannx", "HEADERIKA", "erikathorax", "Frau Mustermann", "e%72ika", "Muster%6Dann",
        "&#77;ustermann", "&#x4D;ustermann", r"\x4dustermann", "\\u004dustermann", "U+004Dustermann",
        "Muster<b>mann</b>", "=4Dustermann", "%254Dustermann", "Ｍｕｓｔｅｒｍａｎｎ",
        "Mus\u200btermann", "Mus\u00adtermann",
        "M\u0301ustermann", "\u202eMustermann", "Mus\u2060termann", "МUSTЕRМАNN", "muster\x00mann",
        "file:///D:/erika/mustermann.dcm", "{Mustermann}", "Mustermann2", "2Mustermann",
    ],
    "Müller-Lüdenscheidt^Jörg": [
        "Mueller-Luedenscheidt", "MULLER LUDENSCHEIDT", "MuellerLuedenscheidt", "mullerludenscheidt", "Müller",
        "LUEDENSCHEIDT", "Muller", "MUELLER", "M&uuml;ller", "M&#252;ller", "M&#xFC;ller", "M%C3%BCller", "M%FCller",
        "M\\u00fcller", "M\\'fcller", "M\\xfcller", "M=C3=BCller", "M&amp;uuml;ller", "MÃ¼ller", "MÃ\u0083Â¼ller",
        "M\ufffdller", "M?ller", "Mu\u0308ller", "J\u00f6rg", "Joerg", "JORG", "jo\u0308rg", "J&ouml;rg",
        "M\udcfcller", "M\udcc3\udcbcller", "Müllers", "CTMUELLER",
    ],
    "Mueller^Joerg": ["Müller", "Muller", "JÖRG", "M%C3%BCller", "Jorg M"],
    "Groß^Änne Sophie": [
        "GROSS A", "Aenne", "Anne-Sophie", "AenneSophie", "Groß Ä", "AGross", "gross, aenne", "ÄnneGroß",
    ],
    "Ødegård^Bjørn": ["Odegard", "Oedegaard", "ODEGAARD", "Bjorn", "Bjoern", "&Oslash;deg&aring;rd", "Ã˜degÃ¥rd"],
    "Bjærke^Zoë": ["Bjaerke", "Bjarke", "ZOE", "Bj&aelig;rke"],
    "van der Berg^Johanna Maria": [
        "vanderberg", "van der Berg, Johanna", "VanDerBerg", "BERG J", "Johanna Berg", "BergJohanna", "van_der_berg",
        "derBerg", "J. van der Berg", "Johanna-Maria",
    ],
    "de la Cruz^José": ["delacruz", "De La Cruz", "JOSE", "Jos&eacute;", "cruz jose", "JoséDeLaCruz"],
    "von Weizsäcker-Ölbaum^Anna": ["Weizsaecker", "Olbaum", "OELBAUM", "vonWeizsäcker", "weizsacker_olbaum"],
    "Li^Xu": ["Li Xu", "XU LI", "lixu", "LiXu", "Mr Li", "Dr. Xu", "Frau Li", "X. Li", "Li, X"],
    "Long^An": ["Long An", "An_Long", "LONGAN", "AnLong", "Mr. Long", "A. Long", "Long, A.", "Frau Long"],
    "Brown^May": ["Brown", "BROWN", "May Brown", "maybrown", "brown_may", "M. Brown", "MBrown", "Mrs Brown"],
    "O'Brien^Seán": ["OBrien", "O Brien", "O&apos;Brien", "O&#39;Brien", "O%27Brien", "SEAN", "obriens"],
    "Zhang^XiaoDong=张^小东": [
        "张 CT", "张先生", "患者张", "小东", "张小东", "张 小 东", "小东张", "Xiao Dong", "ZHANGXIAODONG", "张,小东",
    ],
    "Yamada^Tarou=山田^太郎=やまだ^たろう": [
        "ヤマダ", "ﾔﾏﾀﾞ", "やまだ たろう", "山田様", "太郎さん", "山 田 太 郎", "&#23665;&#30000;", "\\u5c71\\u7530",
        "%E5%B1%B1%E7%94%B0",
    ],
    "Hong^Gildong=洪^吉洞=홍^길동": [
        "홍길동", "길동", "환자홍길동님", "홍 길동", "吉洞", "홍님",
        "\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc",
    ],
    "Иванов^Сергей": [
        "Ivanov", "Sergey", "Sergei", "SERGEJ", "Иванова", "ИВАНОВ", "Iwanow", "&#1048;ванов", "C. Иванов",
    ],
    "Παπαδόπουλος^Γιώργος": ["Papadopoulos", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "παπαδοπουλος", "Giorgos"],
    "Щербаков^Юрий": ["Shcherbakov", "Schtscherbakow", "Yuriy", "Yuri", "Iurii", "Jurij"],
    "Quillfeather^Zebedee^X": [
        "Quilfeather", "QUILLFETHER", "Quillfeahter", "Qiullfeather", "Quillfeatherr", "Quillfaether", "Qu1llfeather",
        "Quillfeath3r", "Zebede", "Zebedec", "ZebedeeQuilfeather", "Mr. Quilfeather", "Quill feather", "Quill\nfeather",
        "UXVpbGxmZWF0aGVy", "WmViZWRlZSBRdWlsbGZlYXRoZXIgMTk2MQ==", "eHlRdWlsbGZlYXRoZXIgWg==",
        "WgBlAGIAZQBkAGUAZQAgAFEAdQBpAGwAbABmAGUAYQB0AGgAZQByAA==",
        "5175696c6c66656174686572", "5175696C6C66656174686572", "0x5a656265646565",
        "51 75 69 6c 6c 66 65 61 74 68 65 72", r"\121uillfeather",
        "Ⓠⓤⓘⓛⓛⓕⓔⓐⓣⓗⓔⓡ", "𝐐𝐮𝐢𝐥𝐥𝐟𝐞𝐚𝐭𝐡𝐞𝐫",
    ],
    "张^小东": ["Zhang Xiaodong", "ZHANG XIAO DONG", "Xiaodong", "zhangxiaodong", "Zhāng Xiǎodōng", "張小東", "小東"],
    "王^芳": ["Wang Fang", "WANG F", "FangWang"],
    "やまだ^たろう": ["Yamada", "YAMADA TAROU", "Taro Yamada", "Tarō", "ﾀﾛｳ"],
    "しゅんじ^ちょう": ["Shunji", "Syunzi", "Cho Shunji"],
    "홍^길동": ["Hong Gildong", "HONG GIL-DONG", "Gil Dong Hong"],
    "박^지성": ["Park Jisung", "Pak Chisong", "PARK JI-SUNG"],
    "이^영희": ["Lee Younghee", "Yi Yeonghui"],
    "כהן^דוד": ["David Cohen", "COHEN, DAVID", "דוד כהן"],
    "محمد^أحمد": ["Mohammed Ahmed", "Muhammad Ahmad", "MOHAMED", "محمد"],
    "Mohammed^Fatima": ["محمد", "فاطمة محمد"],
    "Ivanov^Sergey": ["Иванов", "ИВАНОВ СЕРГЕЙ", "Сергей", "пациент Иванов"],
    "Papadopoulos^Giorgos": ["Παπαδόπουλος", "Γιώργος", "ΠΑΠΑΔΟΠΟΥΛΟΣ"],
    "MÃ¼hlhauser^Eva": ["Mühlhauser", "Muehlhauser", "Muhlhauser"],
}

BIRTH = "19610303"
BIRTH_DATES = [
    "19610303", "1961-03-03", "03.03.1961", "3/3/61", "610303", "030361", "3 March 1961", "3rd of March 1961",
    "March 3rd, 1961", "3. März 1961", "3 mars 1961", "the 3rd day of March, 1961", "03MAR61", "3-Mar-1961",
    "Mar 3 '61", "61MAR03", "1961 March 3", "3.III.1961", "1961-W09-5", "1961W095", "1961-062", "1961062", "61-062",
    "2437362", "1961年3月3日", "1961년 3월 3일", "昭和36年3月3日",
    "S36.3.3", "3%2F3%2F1961", "３．３．１９６１", "1961&#45;03&#45;03",
    "March the third, 1961", "third of March 1961", "third of March nineteen sixty-one",
    "MARCH THIRD NINETEEN SIXTY ONE",
    "2504-03-03", "3/3/2504", "民國50年3月3日", "50/03/03", "1339/12/12", "۱۳۳۹/۱۲/۱۲", "16 Ramadan 1380", "1380-09-15",
    "12 Esfand 1339", "1961年三月三日", "一九六一年三月三日", "3 Μαρτίου 1961", "3 марта 1961", "3. maaliskuuta 1961",
    "03036112345", "030361-1234", "610303-1234", "61030312345", "6103031234567", "16103031234567", "615303/1234",
    "110101196103031234", "43036112345",
    "19610303T120000", "DOB19610303", "03 03 1961", "1961.03.03", "1961_03_03", "1961/3/3", "19610303120000",
]

NUMBERS: dict[str, list[str]] = {
    "MRN-00123456": [
        "MRN00123456", "mrn_00_123_456", "MRN123456", "MRN 0000123456", "123456", "0123456", "12-34-56", "123 456",
        "123.456", "1 2 3 4 5 6", "MRN%2D00123456", "00123456-MRN", "id=123456;", "MRN:00 12 34 56", "123,456",
    ],
    "12345": ["12345", "0012345", "12 345", "12.345", "id 12345"],
    "QF-77319": ["qf77319", "QF 0077319", "77319", "QF_77319", "77319QF", "77.319"],
    "0012345678": ["12345678", "12 34 56 78", "00.1234.5678", "123-456-78", "１２３４５６７８"],
    "QF-7731942": ["77319424", "202001107731942", "7731942-4", "UUYtNzczMTk0Mg==", "51462d37373331393432", "x7731942y"],
    "A123456789": ["a123456789", "A-123-456-789", "A 123456789", "123456789"],
    "19450312-1234": ["450312-1234", "4503121234", "19450312 1234"],
}

PHONES: dict[str, list[str]] = {
    "+49 (0)89 1234 5678": [
        "089 12345678", "+498912345678", "0049 89 1234-5678", "089/1234 56 78", "(089) 12345678", "8912345678",
    ],
    "089 12345678": ["+49 89 12345678", "0049 (0)89 123 456 78", "089-1234 5678", "08912345678"],
    "(555) 123-4567": ["555-123-4567", "+1 555 123 4567", "5551234567", "555.123.4567", "1-555-123-4567"],
}

ADDRESSES: dict[str, list[str]] = {
    "Lindenstraße 12^80331 Musterstadt": [
        "Lindenstr. 12", "LINDENSTRASSE 12", "Lindenstra&szlig;e 12", "80331 Musterstadt",
    ],
    "Wolkenkuckucksheim Allee 17": ["Wolkenkuckucksheim-Allee", "WOLKENKUCKUCKSHEIM ALLEE"],
    "17 Larkspur Road, Exampleton": ["17 Larkspur Rd", "17 LARKSPUR RD.", "17-larkspur-road", "Exampleton"],
}

TEMPTING = {
    "Li^An", "Head^May", "Long^Will", "Brown^Art", "Young^Rose", "Hand^Mark", "Lung^Grace", "Chest^Ray",
    "Armand^Max", "Kern^Anna", "Hansen^Ole", "Müller^Ina", "Kim^Eun", "Van^Thanh", "de Vries^Jan", "张^伟",
}
HARMLESS = [
    "AX T1 LONG TR", "CT Head w/o contrast", "LONG AXIS 2CH", "HEAD FIRST SUPINE", "Left hand", "LI RADS 4",
    "An axial slice", "may show artifact", "brown fat", "will repeat", "CHEST PA", "MR HEAD", "PT CHEST", "DR HAND",
    "grace period", "young adult", "arm and hand", "x ray", "rose bengal", "mark 3", "lung kernel B70f", "kernel",
    "LI-RADS", "anatomy", "Mullerian duct", "max intensity", "kernels", "hand held", "MR LONG BONES", "SR HEAD",
    "the long head of the biceps", "head and neck", "longitudinal", "analysis", "plane", "A P", "L I", "R A L",
    "T 1 W", "a l l", "伟大 张力", "高分辨率", "扩张", "t2_tse_tra_320", "ep2d_diff_3scan_trace_p2",
    "SIEMENS MAGNETOM Aera",
    "syngo MR E11", "GE MEDICAL SYSTEMS", "50% &lt;", "a=b", "C:\\temp", "AXIAL 5.0 H30s", "1.25 mm STANDARD",
    "WB 18F-FDG 3D", "den Kopf", "von links", "van de knie", "der Arm links", "de la tete", "HANDS AP",
    "patient head first", "Pat. supine", "ringer", "hearing", "manual", "Ax DWI b=1000", "120 kV 200 mAs", "+C",
    "<none>",
]
# fmt: on


def evidence_of(name: str = "", **kinds: set[str]) -> Evidence:
    """Return the evidence of one name, as harvesting splits it into component groups, and of other identifiers."""
    groups = {group for group in name.split("=") if group}
    return Evidence(names=groups, **kinds)  # type: ignore[arg-type]  # all of them are sets of texts

"""Lists the words around a class's name by which a written answer is read: that name it, deny it, or join several."""

from __future__ import annotations

import re

FLAGS = re.IGNORECASE

# what stands before a class that the answer settles on; matched at the end of the text before a mention
_NAMING = (
    r"answer|label|class|category|topic|sentiment|classification|prediction|verdict|conclusion|choice|option|result|"
    r"language|intent|emotion|type|genre|domain|rating|score|stance|tag|"
    r"antwort|klasse|kategorie|thema|réponse|catégorie|classe|respuesta|categoría|clase|risposta|categoria|resposta|"
    r"antwoord|ответ|категория|класс|odpowiedź|cevap|kategori|"
    r"答案|回答|答え|答|类别|類別|标签|標籤|分类|分類|选项|選項|結論|结论|カテゴリ|クラス|정답|답변|답|분류"
)
_SETTLING = (
    r"(?:i|we)(?:'d|'ll)? *(?:would |will )?(?:choose|pick|select|go with|say|vote for|opt for)|"
    r"classif(?:y|ied) (?:\w+ )?as|"
    r"labell?ed as|categori[sz]ed as|belongs? (?:to|in)|falls (?:under|into)|"
    r"属于|屬於|归类为|归为|歸類為|应为|应该是|應該是|应选|选择|選擇|我选|选"
)
_LINK = (
    r"(?:is|was|are|would be|should be|must be|has to be|"
    r"ist|est|es|è|é|esta?|er|это|jest|"
    r"to|in|the|an|a|class|category|option|letter|label|most likely|probably|clearly|definitely|therefore|thus|"
    r"die|das|der|la|le|el|il|o)"
)
_MARKS = r"[\s\"'“”‘’„«»`*_(（\[【「『《<:：=\-–—→>|#,.$]"
ANCHOR = re.compile(
    rf"(?:(?:\b(?:final )?(?:{_NAMING})|(?:{_SETTLING}))(?:{_MARKS}|\b{_LINK}\b|是|为|為|は|은|는)*)$", FLAGS
)

# what denies the class after it, within its clause and at most five words ahead
_DENYING = (
    r"not|never|neither|nor|no|nothing|none|isn['’]?t|aren['’]?t|wasn['’]?t|doesn['’]?t|don['’]?t|didn['’]?t|can['’]?t|cannot|won['’]?t|"
    r"wouldn['’]?t|couldn['’]?t|shouldn['’]?t|hardly|rather than|instead of|other than|except|unlike|without|"
    r"exclud\w*|rul(?:e|es|ed|ing) out|nicht|kein\w*|weder|noch|statt|anstatt|pas|ni|non|plutôt que|nunca|tampoco|"
    r"en lugar de|né|não|nem|niet|geen|не|ни|nie|inte|ikke"
)
_DENYING_UNSPACED = r"不是|并不是|並不是|并非|並非|不属于|不屬於|不算|不应|而非|没有|沒有|非|不|無|无"
NOT_DENYING = re.compile(
    r"\b(?:not (?:only|just|merely)|no doubt|without (?:a )?doubt|no question)\b|不仅|不僅|不但|不止", FLAGS
)
DENIED_BEFORE = re.compile(
    rf"(?:\b(?:{_DENYING})\b(?:[\s\"'“”‘’`*_(\[«]+[^\W\d]\w*){{0,5}}|(?:{_DENYING_UNSPACED})[^\s,，、]{{0,3}})"
    r"[\s\"'“”‘’„«`*_(（\[「『《]*$",
    FLAGS,
)
DENIED_AFTER = re.compile(
    r"^[\"'“”‘’»`*_)）\]」』》]*(?:"
    r"\s+(?:is|was|are|were|seems|looks|would be|can be|could be|does|do|did|has)\s*"
    r"(?:n['’]t\b|not\b(?! only\b)|(?:\w+ly )?(?:wrong|incorrect|unlikely|excluded|ruled out|false|out)\b)|"
    r"\s+(?:isn|wasn|aren|doesn|don|can|won)['’]?t\b|"
    r"\s+(?:ist|passt|stimmt)\s+nicht\b|\s+değil\b|"
    r"\s*(?:ではな|じゃな|でな|가 아니|이 아니|은 아니|는 아니|不对|不對|不正确|不正確|不符合|是错|是錯))",
    FLAGS,
)
CLAUSE_END = re.compile(
    r"[.,;:!?。，；：！？\n—–…]|\bbut\b|\byet\b|\bsondern\b|\bmais\b|\bsino\b|\bpero\b|\bно\b|而是|但", FLAGS
)

# what joins two classes to a list that settles on neither
JOINED = re.compile(
    r"^[\"'“”‘’»`*_)）\]」』》]*\s*(?:,|、|/|\||&|，|,?\s*\b(?:and|or|nor|und|oder|et|ou|y|o|e|и|или)\b|和|或者|或|与|與|及|や|と|또는|와|과)"
    r"\s*(?:\b(?:and|or|nor|und|oder)\b\s*)?[\"'“”‘’„«`*_(（\[「『《]*$",
    FLAGS,
)
ALTERNATIVE = re.compile(r"\b(?:or|nor|oder|noch|ou|ni|o|или|ни)\b|/|或|、", FLAGS)

# after a first line that names a class: the writer takes it back
TAKEN_BACK = re.compile(
    r"\b(?:no|wait|actually|hmm+|correction|sorry|instead|rather|on second thought|however)\b|"
    r"不对|不對|等等|其实|其實|更正",
    FLAGS,
)
SENTENCE_END = re.compile(r"^[\"'“”‘’»`*_)）\]」』》]*\s*(?:$|[(（]|\n|[.:。：)）!！](?:\s|$)|[。：！]|\s[-–—]\s)")

OPENING, CLOSING = "\"'“‘„«`*_(（[【「『《<{", "\"'”’“»`*_)）]】」』》>}"

# articles, pronouns and prepositions: a class (an option's letter, a language's code) only where nothing else is meant
LITTLE_WORDS = frozenset(
    {
        "a",
        "i",
        "o",
        "e",
        "u",
        "y",
        "à",
        "é",
        "ó",
        "ż",
        "am",
        "an",
        "as",
        "be",
        "de",
        "do",
        "en",
        "es",
        "et",
        "he",
        "hi",
        "id",
        "in",
        "is",
        "it",
        "la",
        "le",
        "me",
        "my",
        "no",
        "of",
        "or",
        "so",
        "to",
        "us",
        "we",
    }
)
ALONE = re.compile(r"\s*(?:$|[\n.)!:;。：）])")
BEGINNING = re.compile(
    r"(?:^|[:：\n\u3040-\u9fff]|\b(?:it|this|that)(?:['’]s| is| must be| should be))[ \t]{0,9}$", FLAGS
)
# a class of one letter that is said to be the answer, or is told apart by a dash
CONFIRMED = re.compile(
    r"\s+(?:[-–—]\s|(?:is|was|seems|fits|would be|must be)\s+(?:\w+ly )?(?:the |my )?(?:\w+ly )?"
    r"(?:best|most|correct|right|answer|choice|class|label|category|option|one that)\b)",
    FLAGS,
)
UNDER_EACH_OTHER = re.compile(r"[\s*•#>-]*\n[\s*•#>-]*(?:\d{1,2}[.)]\s*)?[\"'“‘`*_(\[]*")
LISTED = re.compile(r"\s*(?:,|/|\bor\b|\band\b)\s*(?:or |and )?\(?[A-Z]\b")

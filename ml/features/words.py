"""The words and spaces that a cell of text may hold instead of a value: missing, true, false.

What counts as missing depends on what the column holds. Among numbers and dates "none" and "unknown" can only mean that
there is none. Among categories they may be an answer of their own, and what a lead does not tell is often what matters;
there only what programs write for an empty cell is missing. (NA stays a category too: it is Namibia and North America.)
"""

# All that Python or Unicode calls white space, and the marks without width that spreadsheets leave behind.
SPACES = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)
# In lower case, without spaces around them: empty, Python, R, SQL, JavaScript, spreadsheets, SAS, UCI's tables.
MISSING_WORDS = frozenset(
    {
        "", "nan", "nat", "null", "nil", "n/a", "#n/a", "#n/a n/a", "<na>", "\\n", "(null)", "(blank)", "undefined",
        "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "-", "--", "---", "\u2013", "\u2014", "?", ".", "...",
    }
)  # fmt: skip
MISSING_TRUTHS = MISSING_WORDS | {"na", "n.a."}
MISSING_QUANTITIES = MISSING_TRUTHS | {
    "none", "no data", "missing", "unknown", "not available", "unbekannt", "keine angabe", "k.a.", "inconnu", "desconocido",
}  # fmt: skip
# No cell longer than this is worth lowering to look it up.
LONGEST_WORD = max(len(word) for word in MISSING_QUANTITIES)

TRUE_WORDS = frozenset(
    {"true", "yes", "y", "t", "1", "1.0", "on", "ja", "j", "wahr", "oui", "vrai", "si", "s\u00ed", "verdadero", "sim", "vero"}
)
FALSE_WORDS = frozenset(
    {"false", "no", "n", "f", "0", "0.0", "off", "nein", "falsch", "non", "faux", "falso", "n\u00e3o", "nee", "nej"}
)

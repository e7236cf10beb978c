"""Characters that are obeyed or hidden instead of being seen, in one list for all who write a text on one line."""

UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1: terminals, logs
    r"\u061c\u200b-\u200f\u2060-\u206f\ufeff"  # no width, marks and isolates of direction (UAX #9)
    r"\u2028-\u202e"  # separators of lines and paragraphs, embeddings and overrides: text that lies
    r"\ufff9-\ufffb\ud800-\udfff"  # annotations within a line, halves of a character
)
"""Inside of a class of a regular expression. Tab and line feed are not in it: some texts have lines."""

UNSEEN_OR_BREAK = r"\t\n" + UNSEEN
"""The same for a text of one line."""

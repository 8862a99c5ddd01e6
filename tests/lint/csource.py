# SPDX-License-Identifier: MIT
"""Reads C as far as the lints need it: code without comments and literals,
tokens, and the functions of a file with their parameters and nesting.

It relies on the project's layout (clang-format): a function's name begins a
line, its body is between a `{` and a `}` that stand alone in column 0.
"""

import re

COMMENT_OR_LITERAL = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
FUNCTION = re.compile(r"^(\w+)\(([^{};]*?)\)\n\{\n(.*?)^\}", re.S | re.M)
TOKEN = re.compile(r"\w+|[{}();:]|[^\s\w{}();:]")


def blanked(match):
    """A comment as blanks, a literal as an empty one; lines are kept."""
    text = match.group()
    if text[0] in "\"'":
        return text[0] * 2
    return "\n" * text.count("\n") or " "


def bare(text):
    """The code alone: comments and what is in literals are gone."""
    return COMMENT_OR_LITERAL.sub(blanked, text)


def without_directives(code):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", code, flags=re.M)


class Function:
    def __init__(self, name, line, params, body):
        self.name, self.line = name, line
        self.params, self.body = params, body


def split_params(text):
    """The parameters of a list; commas inside parentheses do not count."""
    if text.strip() in ("", "void"):
        return []
    found, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            found.append(text[start:i].strip())
            start = i + 1
    return [*found, text[start:].strip()]


def functions(text):
    """Every function that is defined in a file's text."""
    code = bare(text)
    for match in FUNCTION.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield Function(match.group(1), line, split_params(match.group(2)),
                       without_directives(match.group(3)))


HEADED = {"if", "for", "while", "switch"}
PLAIN = {"else", "do"}


class Nesting:
    """Walks a body's tokens and keeps the deepest level of blocks.

    The body itself is level 1. A statement without braces under if, else, for,
    while or do is a level like one with braces; `else if` is not a new one.
    Braces of initialisers are none.
    """

    def __init__(self, body):
        self.tokens = TOKEN.findall(body)
        self.at = 0
        self.deepest = 1

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def skip_parens(self):
        """Past a balanced (...) that begins here."""
        depth = 0
        while self.at < len(self.tokens):
            depth += (self.peek() == "(") - (self.peek() == ")")
            self.at += 1
            if depth == 0:
                return

    def skip_initialiser(self):
        depth = 0
        while self.at < len(self.tokens):
            depth += (self.peek() == "{") - (self.peek() == "}")
            self.at += 1
            if depth == 0:
                return

    def block(self, level):
        """The statements up to the closing brace or the end."""
        self.deepest = max(self.deepest, level)
        while self.at < len(self.tokens) and self.peek() != "}":
            self.statement(level)
        self.at += 1

    def under(self, level):
        """What a control statement governs: a block or one statement."""
        if self.peek() == "{":
            self.at += 1
            self.block(level + 1)
            return
        self.deepest = max(self.deepest, level + 1)
        self.statement(level + 1)

    def simple(self, level):
        """An expression or declaration, up to its semicolon; a macro with a
        block behind it (a loop over a list) counts as a control statement."""
        while self.at < len(self.tokens):
            token = self.peek()
            before = self.tokens[self.at - 1] if self.at else ""
            if token == "(" and re.match(r"[A-Za-z_]\w*$", before):
                self.skip_parens()
                if self.peek() == "{" and before != "return":
                    self.under(level)
                    return
            elif token == "(":
                self.skip_parens()
            elif token == "{":
                self.skip_initialiser()
            elif token == "}":
                return
            else:
                self.at += 1
                if token in (";", ":"):
                    return

    def statement(self, level):
        token = self.peek()
        if token in HEADED:
            self.at += 1
            self.skip_parens()
            if self.peek() == ";":
                self.at += 1
            else:
                self.under(level)
        elif token in PLAIN:
            self.at += 1
            if token == "else" and self.peek() == "if":
                self.statement(level)
            else:
                self.under(level)
        elif token == "{":
            self.at += 1
            self.block(level + 1)
        else:
            self.simple(level)


def nesting(body):
    walk = Nesting(body)
    walk.block(1)
    return walk.deepest

"""JSON as Go's encoding/json reads and writes it, with its error texts.

Docker's clients see these texts; Python's own differ. Valid input goes through the C decoder
of the standard library, and only input it refuses is walked here to find Go's words for it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

_MAX_DEPTH: Final = 10_000
_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class GoJSONError(ValueError):
    """The input is not JSON; the text is Go's."""


class TrailingContent(GoJSONError):
    """One value was read, and something that is not white space follows it."""


class UnexpectedEnd(GoJSONError):
    """The input ended before a value was complete."""


def decode(data: bytes, *, stream: bool = False) -> Any:
    """Decode *data* as Go's json.Unmarshal does, or with *stream* as its Decoder does.

    The two differ in how they name the end of the input (``unexpected end of JSON input``;
    ``EOF`` if nothing was there, else ``unexpected EOF``). Raises GoJSONError.
    """
    try:
        value = json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        _explain(data, stream=stream)
    return _without_surrogates(value) if _SURROGATE.search(data) else value


def encode(value: Any) -> bytes:
    """Encode *value* as Go's json.Marshal does: compact, UTF-8, HTML characters escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for plain, escaped in _HTML.items():
        text = text.replace(plain, escaped)
    return text.encode("utf-8", "replace")


def quote(text: str) -> str:
    """Quote *text* as Go's %q does."""
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    control = re.sub(r"\\u00([01][0-9a-f])", r"\\x\1", quoted)
    return f'"{control}"'


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _without_surrogates(value: Any) -> Any:
    # Go replaces half a pair; Python would keep it and then fail to encode it.
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(v) for key, v in value.items()}
    return value


def _explain(data: bytes, *, stream: bool) -> NoReturn:
    # Go's scanner sees bytes, not characters; latin-1 maps one to one.
    scanner = _Scanner(data.decode("latin-1"), stream=stream)
    scanner.run()
    raise GoJSONError("json: cannot unmarshal number into Go value")


class _Scanner:
    """Walk text as Go's scanner does until its first error."""

    def __init__(self, text: str, *, stream: bool) -> None:
        self._text = text
        self._stream = stream
        self._at = 0

    def run(self) -> None:
        self._value()
        self._space()
        if self._at < len(self._text):
            raise TrailingContent(self._invalid("after top-level value"))

    def _value(self) -> None:
        """Read one value; containers are kept on a stack, so depth costs no recursion."""
        stack: list[str] = []
        while True:
            if not self._begin(stack):
                continue
            while stack and self._after(stack):
                pass
            if not stack:
                return

    def _begin(self, stack: list[str]) -> bool:
        """Read a scalar or enter a container; say whether a whole value was read."""
        char = self._next_token()
        if char in "[{":
            return self._enter(stack, char)
        if char == '"':
            self._string()
        elif char in "-0123456789":
            self._number()
        elif char in "tfn":
            self._literal({"t": "true", "f": "false", "n": "null"}[char])
        else:
            self._fail("looking for beginning of value")
        return True

    def _enter(self, stack: list[str], char: str) -> bool:
        self._at += 1
        if len(stack) >= _MAX_DEPTH:
            raise GoJSONError("exceeded max depth")
        stack.append(char)
        close = "]" if char == "[" else "}"
        if self._next_token() == close:
            self._at += 1
            stack.pop()
            return True
        if char == "{":
            self._key()
        return False

    def _after(self, stack: list[str]) -> bool:
        """Read what follows a value in a container; say whether that closed the container."""
        char = self._next_token()
        is_array = stack[-1] == "["
        if char == ",":
            self._at += 1
            if not is_array:
                self._key()
            return False
        if char != ("]" if is_array else "}"):
            self._fail("after array element" if is_array else "after object key:value pair")
        self._at += 1
        stack.pop()
        return True

    def _key(self) -> None:
        if self._next_token() != '"':
            self._fail("looking for beginning of object key string")
        self._string()
        if self._next_token() != ":":
            self._fail("after object key")
        self._at += 1

    def _string(self) -> None:
        self._at += 1
        while True:
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None
            self._at = plain.end()
            char = self._here()
            if char == '"':
                self._at += 1
                return
            if char != "\\":
                self._fail("in string literal")
            self._at += 1
            self._escape()

    def _escape(self) -> None:
        char = self._here()
        if char not in '"\\/bfnrtu':
            self._fail("in string escape code")
        self._at += 1
        if char == "u":
            for _ in range(4):
                if self._here() not in "0123456789abcdefABCDEF":
                    self._fail("in \\u hexadecimal character escape")
                self._at += 1

    def _number(self) -> None:
        if self._here() == "-":
            self._at += 1
        if self._here() == "0":
            self._at += 1
        else:
            self._digits("in numeric literal")
        if self._peek() == ".":
            self._at += 1
            self._digits("after decimal point in numeric literal")
        if self._peek() in ("e", "E"):
            self._at += 1
            if self._here() in "+-":
                self._at += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, context: str) -> None:
        if self._here() not in "0123456789":
            self._fail(context)
        while self._peek() and self._peek() in "0123456789":
            self._at += 1

    def _literal(self, word: str) -> None:
        for expected in word:
            if self._here() != expected:
                self._fail(f"in literal {word} (expecting '{expected}')")
            self._at += 1

    def _space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()

    def _next_token(self) -> str:
        self._space()
        return self._here()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _here(self) -> str:
        """Return the current character; the end of the input is an error here."""
        if self._at >= len(self._text):
            raise UnexpectedEnd(self._end_text())
        return self._text[self._at]

    def _end_text(self) -> str:
        if not self._stream:
            return "unexpected end of JSON input"
        return "unexpected EOF" if self._text.strip(" \t\r\n") else "EOF"

    def _fail(self, context: str) -> NoReturn:
        raise GoJSONError(self._invalid(context))

    def _invalid(self, context: str) -> str:
        char = self._here()
        shown = {"'": r"'\''", '"': "'\"'"}.get(char) or f"'{quote(char)[1:-1]}'"
        return f"invalid character {shown} {context}"

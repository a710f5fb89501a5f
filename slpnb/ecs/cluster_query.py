"""The cluster query language of memberOf placement constraints, for its common forms.

"Create expressions to define container instances for Amazon ECS tasks" is the source: a subject,
an operator and an argument, joined by and, or, not and parentheses. Supported subjects are
``attribute:<name>``, ``ec2InstanceId``, ``agentConnected``, ``runningTasksCount`` and
``task:group``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from slpnb.errors import ParameterError

Facts = Mapping[str, str | tuple[str, ...]]  # by subject; task:group has several values
Predicate = Callable[[Facts], bool]

_TOKEN = re.compile(
    r'\s*("(?:[^"\\]|\\.)*"|&&|\|\||==|!=|=~|!~|>=|<=|[()\[\],<>]|!(?:in|exists)\b|!|[^\s()\[\],<>=!&|"]+)'
)
_ALIASES = {
    "equals": "==",
    "not_equals": "!=",
    "matches": "=~",
    "not_matches": "!~",
    "greater_than": ">",
    "greater_than_equal": ">=",
    "less_than": "<",
    "less_than_equal": "<=",
    "!in": "not_in",
    "!exists": "not_exists",
    "&&": "and",
    "||": "or",
    "!": "not",
}
_SUBJECT = re.compile(r"attribute:[\w./-]+|ec2InstanceId|agentConnected|runningTasksCount|task:group")


@cache
def parse(expression: str) -> Predicate:
    """An expression as a test of one instance. Raises `ParameterError` naming what is not understood."""
    parser = _Parser(expression)
    predicate = parser.either()
    if parser.rest:
        raise parser.error(f"unexpected {parser.rest[0]!r}")
    return predicate


class _Parser:
    """Recursive descent: or, and, not, then one comparison or a parenthesis."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.rest = self._tokens()

    def error(self, problem: str) -> ParameterError:
        return ParameterError(f"placement constraint {self.expression!r}: {problem}")

    def either(self) -> Predicate:
        parts = [self.all()]
        while self._skip("or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else lambda facts: any(part(facts) for part in parts)

    def all(self) -> Predicate:
        parts = [self.one()]
        while self._skip("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda facts: all(part(facts) for part in parts)

    def one(self) -> Predicate:
        if self._skip("not"):
            inner = self.one()
            return lambda facts: not inner(facts)
        if self._skip("("):
            inner = self.either()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        subject, operator = self._next("a subject"), self._next("an operator")
        if not _SUBJECT.fullmatch(subject):
            raise self.error(f"{subject!r} is not a subject; use attribute:<name>, ec2InstanceId or task:group")
        if operator in ("exists", "not_exists"):
            return lambda facts: (subject in facts) == (operator == "exists")
        if operator in ("in", "not_in"):
            options = self._list()
            return lambda facts: any(value in options for value in _values(facts, subject)) == (operator == "in")
        return self._compare(subject, operator, _bare(self._next("an argument")))

    def _compare(self, subject: str, operator: str, argument: str) -> Predicate:
        if operator in ("==", "!="):
            return lambda facts: (argument in _values(facts, subject)) == (operator == "==")
        if operator in ("=~", "!~"):
            pattern = self._pattern(argument)
            return lambda facts: any(map(pattern.fullmatch, _values(facts, subject))) == (operator == "=~")
        if operator in _ORDER:
            return lambda facts: any(_ORDER[operator](value, argument) for value in _values(facts, subject))
        raise self.error(f"{operator!r} is not an operator; use ==, !=, in, not_in, exists, =~ or an order")

    def _pattern(self, argument: str) -> re.Pattern[str]:
        try:
            return re.compile(argument)
        except re.error as error:
            raise self.error(f"{argument!r} is not a regular expression: {error}") from error

    def _list(self) -> list[str]:
        self._expect("[")
        options = [_bare(self._next("a value"))]
        while self._skip(","):
            options.append(_bare(self._next("a value")))
        self._expect("]")
        return options

    def _tokens(self) -> list[str]:
        found, position, text = [], 0, self.expression.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error(f"{text[position:].strip()!r} is not understood")
            found.append(_ALIASES.get(match[1], match[1]))
            position = match.end()
        return found

    def _next(self, what: str) -> str:
        if not self.rest:
            raise self.error(f"ends where {what} is expected")
        return self.rest.pop(0)

    def _skip(self, token: str) -> bool:
        if self.rest[:1] != [token]:
            return False
        self.rest.pop(0)
        return True

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise self.error(f"{token!r} is missing")


def _values(facts: Facts, subject: str) -> tuple[str, ...]:
    value = facts.get(subject, ())
    return (value,) if isinstance(value, str) else value


def _bare(token: str) -> str:
    return token[1:-1] if token.startswith('"') else token


def _less(left: str, right: str) -> bool:
    try:
        return float(left) < float(right)
    except ValueError:
        return left < right


_ORDER: Mapping[str, Callable[[str, str], bool]] = {
    "<": _less,
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: not _less(left, right),
    "<=": lambda left, right: not _less(right, left),
}

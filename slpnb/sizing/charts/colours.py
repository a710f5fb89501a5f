"""The colours of every chart, each by what it means.

The strong ones are Okabe and Ito's ("Color Universal Design"), which colour-blind readers can tell apart; the
others are greys and pale ones.
"""

from __future__ import annotations

MAIN = "#0072B2"  # what the chart is about: tasks that run, what the parameters choose
BESIDE = "#56B4E9"  # what it stands beside: old tasks, other types, demand
TOO_MUCH = "#D55E00"  # does not fit, or is short
MARKED = TOO_MUCH  # the parameters' own among others
STARTING = "#E69F00"  # a task before its first health check passes
RESERVED = STARTING  # memory that is held and serves no request
INSTANCES = STARTING  # their number, next to that of the tasks
UNHEALTHY = "#CC79A7"

PAPER = "#FFFFFF"  # the ground, and what is written on MAIN
WAITING = PAPER  # drawn with an edge of TOO_MUCH: not there yet
LINE = "#222222"  # limits, and what is written on pale colours
NUMBER = "#000000"  # a count on its bar or its cell
QUIET = "#666666"  # words that may be overlooked
KERNEL = "#767676"  # memory that an instance never registers
GONE = "#999999"  # tasks that end
CROWD = "#BBBBBB"  # what the rest stands out from
STOPPING = "#D0D0D0"
NONE = "#F3F3F3"  # a cell where nothing fits
LEFT = "#D3E6F2"  # memory that no task uses
SHORT = "#F6D5C3"  # a cell where memory is short
COUNTS = "Blues"  # matplotlib's colour map: the more that fit, the darker

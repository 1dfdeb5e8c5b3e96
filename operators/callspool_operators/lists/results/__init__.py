"""A list of contacts given back, with what became of each row."""

from callspool_operators.lists.results.answers import ANSWERS, AnsweredRow, Answers
from callspool_operators.lists.results.grid import Grid
from callspool_operators.lists.results.inputs import Inputs
from callspool_operators.lists.results.outfile import OutFile
from callspool_operators.lists.results.sheetfile import SheetFile

__all__ = ["ANSWERS", "AnsweredRow", "Answers", "Grid", "Inputs", "OutFile", "SheetFile"]

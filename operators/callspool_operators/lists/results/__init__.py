"""A list of contacts given back, with what became of each row."""

from callspool_operators.lists.results.grid import ANSWERS, AnsweredRow, Answers, Grid, Inputs
from callspool_operators.lists.results.outfile import OutFile, SheetFile

__all__ = ["ANSWERS", "AnsweredRow", "Answers", "Grid", "Inputs", "OutFile", "SheetFile"]

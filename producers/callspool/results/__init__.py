"""A list of contacts given back, with what became of each row."""

from callspool.results.answers import ANSWERS, Answered, Answers
from callspool.results.grid import Grid
from callspool.results.inputs import Inputs
from callspool.results.outfile import OutFile

__all__ = ["ANSWERS", "Answered", "Answers", "Grid", "Inputs", "OutFile"]

"""Answers of models that are given again: which questions are the same, and whether the answer may be another's.

`keeping.keep(...)` is what a call of a model asks; the answers themselves are in `dataplane.answers`.
"""

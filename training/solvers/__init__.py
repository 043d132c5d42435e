"""Solvers: from sums to codes and a decoder.

A solver is ``(Summed, Groups, config) → Solution``; ``table.py`` lists them and ``solution.py`` says what they give.
``effects.py``, ``choose.py``, ``held_out.py`` and ``width.py`` hold the algebra, in the letters of docs/method.md.
"""

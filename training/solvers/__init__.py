"""Solvers: from sums to codes and a decoder."""

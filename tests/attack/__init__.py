"""Attacks on everything that takes something from a stranger, each with the answer that is right.

In the normal test run with one seed, bounded to a few minutes. ``python -m tests.attack --minutes N --seed S`` goes on
for as long as it is told, with other damage, and prints the table.
"""

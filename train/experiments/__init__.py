"""Trainings that answer a question and ship nothing: compare, ablate, benchmark, the paper's tables.

On equal terms through ``trials``; the models compared are in ``train.rivals``.
"""

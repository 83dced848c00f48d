"""Trainings that answer a question and ship nothing: compare, ablate, benchmark.

On equal terms through ``trials``; the models compared are in ``train.rivals``.
"""

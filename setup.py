"""What pyproject.toml cannot say: every package under hff, and the weights as a package without code."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["hff", "hff.*"]), "hff_weights"])

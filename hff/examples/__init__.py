"""The ready clips, what each one puts into the inputs, and the script that makes them.

Free parts only; see README.md beside them.
"""

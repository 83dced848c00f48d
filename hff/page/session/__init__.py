"""Who is visiting and what belongs to the visit: private folders, shelves, and the one model for all.

No HTML.
"""

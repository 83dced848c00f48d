"""What several views draw with: words, colours, cards, figures.

Nothing that belongs to one view alone, and no import from a view.
"""

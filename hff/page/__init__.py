"""The demo page: Gradio views over ``hff.load().analyze()``.

``program`` has its options, ``serve`` starts it, ``blocks`` puts the tabs together, ``api`` names what programs call. A
room a view: ``clip``, ``live``, ``lab``, ``model``; ``shared`` is what they draw with, ``session`` whose visit it is,
``door`` who is let in. Only what a browser shows or sends: no reading, no arithmetic on results; only programs import
from here.
"""

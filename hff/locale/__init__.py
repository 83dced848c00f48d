"""Every word a person reads, in one catalogue: one folder a language, one JSON file an area of the product.

Here live the catalogues, the language of the moment, messages with a key, and numbers by a language's rules.
Nothing here knows the model, the page or gradio; every other package may import it.
"""

from __future__ import annotations

from hff.locale.catalogue import DEFAULT, Message, language, languages, say, sentence, speaking, translate, using

__all__ = ["DEFAULT", "Message", "language", "languages", "say", "sentence", "speaking", "translate", "using"]

"""The demo page: Gradio views over ``hff.load().analyze()``.

Modules by what they show: ``cards`` (emotion, gauges), ``timeline``, ``attention_map``, ``architecture``,
``metrics`` (the Model view's tables), ``report`` (downloads). By what they do: ``texts`` (every word a
person reads), ``theme`` (colours and fonts), ``drawing`` (matplotlib to SVG and PNG), ``engine`` (the model,
loaded once), ``sessions`` (nothing is kept), ``clip_view`` and ``model_view`` (the tabs), ``server``.
"""

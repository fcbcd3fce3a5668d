"""How each kind of figure is judged: one file a rule."""

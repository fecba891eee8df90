"""Data sets, networks, training, evaluation and export: all that needs Keras."""

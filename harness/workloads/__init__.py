"""What is trained: data sets, layers as data, initial weights. NumPy only; no framework is known here."""

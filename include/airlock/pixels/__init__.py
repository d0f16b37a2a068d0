"""Burned-in text: where it is in the pixels, how it is masked, and how that is proven.

`step` is what the chain calls; `rewriter` is the program inside the container. Everything but `step` and `preview`
imports nothing of Airlock beside `errors`, `findings` and `workspace`, so that the container stays small.
"""

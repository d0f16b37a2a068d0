"""The streaming engine: the same de-identification as the plain one, on the bytes of a file, many times as fast.

It decides nothing itself. What is to be done with an element it asks :class:`airlock.deid.decide.Decider`, what becomes
of a value :class:`airlock.deid.rewrite.Rewriter`; what it cannot do alone, one sequence or the whole file, it hands to
:class:`airlock.deid.engine.Engine`. It may only be faster, never different: tests compare the bytes of both.
"""

"""Readers of the rule formats of other de-identification tools.

Each reader turns a file into a :class:`~airlock.deid.formats.model.Conversion`: rules as project files spell them, and
an account of what became of every foreign rule. Nothing is passed over: what is not understood makes a project file
that can't be loaded.
"""

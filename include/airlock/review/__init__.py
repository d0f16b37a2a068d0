"""The reviewer's gates: a person decides about burned-in text where a project's policy wants it."""

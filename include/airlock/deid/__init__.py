"""De-identification of headers: profile table, actions, marks, and the step that runs them (PS3.15 annex E)."""

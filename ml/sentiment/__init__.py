"""How people sound in what was written: word lists and a few rules, on this machine. `scorer` says what it cannot do."""

"""The kinds of fault, one a module. `spoilt`, `authority` and `control` are what several of them have in common."""

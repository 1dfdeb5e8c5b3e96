"""callspool in other frameworks: each module needs a package that callspool itself does not."""

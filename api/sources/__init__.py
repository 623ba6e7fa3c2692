"""One file per sender: how it proves who it is, over the raw body. Parsing is automation/sources/."""
